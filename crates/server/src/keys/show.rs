//! Conversion of keys to their wire types.

use keyward_api::keys as wire;
use keyward_domain::{ApiKey, Catalogue, KeyKind, LoginType, Timestamp};
use keyward_service::keys::ListedKey;

/// A key, without its secret.
pub(crate) fn key(key: &ApiKey, status: wire::KeyStatus, catalogue: &Catalogue) -> wire::ApiKey {
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
        kind: match key.kind() {
            KeyKind::Token => wire::KeyKind::Token,
            KeyKind::Session => wire::KeyKind::Session,
        },
        status,
        ended_at: key.ended_early_at(),
        end_reason: key.end_reason.map(|reason| reason.to_string()),
        end_note: key.end_note.as_ref().map(ToString::to_string),
        last_used_ip: key.last_used_ip.map(|ip| ip.to_string()),
        minted_by: key.minted_by.as_ref().map(ToString::to_string),
        scopes_expanded: catalogue.resolve(&key.scopes).map(|scopes| scopes.to_strings()),
    })
}

/// Whether a key works at `now`.
pub(super) fn status(key: &ApiKey, owner_is_active: bool, locked: bool, now: Timestamp) -> wire::KeyStatus {
    if key.is_dead(now) {
        wire::KeyStatus::Expired
    } else if owner_is_active && locked {
        wire::KeyStatus::Locked
    } else if owner_is_active {
        wire::KeyStatus::Live
    } else {
        wire::KeyStatus::UserSuspended
    }
}

/// A key with its owner's username.
pub(super) fn with_owner(listed: &ListedKey, now: Timestamp, catalogue: &Catalogue) -> wire::ApiKeyWithOwner {
    let status = status(&listed.key, listed.owner_is_active, listed.locked, now);
    wire::ApiKeyWithOwner::new(key(&listed.key, status, catalogue), listed.username.clone())
}
