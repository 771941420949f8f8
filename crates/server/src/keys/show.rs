//! Conversion of keys to their wire types.

use keyward_api::keys as wire;
use keyward_domain::{ApiKey, LoginType, Timestamp};

/// A key, without its secret.
pub(crate) fn key(key: &ApiKey) -> wire::ApiKey {
    wire::ApiKey::from(wire::ApiKeyParts {
        id: key.id.to_string(),
        user_id: key.user_id.as_uuid(),
        last_used: key.last_used.unwrap_or(Timestamp::EPOCH),
        expires_at: key.expires_at,
        created_at: key.created_at,
        updated_at: key.updated_at,
        login_type: match key.login_type {
            LoginType::Token => wire::LoginType::Token,
            LoginType::Password => wire::LoginType::Password,
        },
        scopes: key.scopes.to_strings(),
        token_name: key.name_text().to_owned(),
        lifetime_seconds: key.lifetime.as_secs(),
        allow_list: key.allow_list.to_strings(),
    })
}

/// A key with its owner's username.
pub(super) fn with_owner((found, username): &(ApiKey, String)) -> wire::ApiKeyWithOwner {
    wire::ApiKeyWithOwner::new(key(found), username.clone())
}
