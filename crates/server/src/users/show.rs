//! Conversion of users to their wire types.

use keyward_api::users as wire;
use keyward_domain::{Timestamp, User};

/// A user.
pub(crate) fn user(user: &User) -> wire::User {
    wire::User {
        id: user.id.as_uuid(),
        username: user.username.to_string(),
        name: user.name.clone(),
        email: user.email.to_string(),
        created_at: user.created_at,
        updated_at: user.updated_at,
        last_seen_at: user.last_seen_at.unwrap_or(Timestamp::EPOCH),
        status: user.status.as_str().to_owned(),
        login_type: user.login.as_str().to_owned(),
        roles: user
            .roles
            .iter()
            .map(|role| wire::UserRole { name: role.to_string(), display_name: role.display_name().to_owned() })
            .collect(),
        organization_ids: Vec::new(),
    }
}
