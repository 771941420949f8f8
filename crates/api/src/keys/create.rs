//! Requests and responses for new keys.

use serde::{Deserialize, Serialize};

use super::ApiKey;

/// Parameters of a new token. All are optional.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct CreateTokenRequest {
    /// Lifetime in nanoseconds; 0 or absent means the server's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<i64>,
    /// Lifetime in seconds, as some older clients send it in place of `lifetime`; 0 or absent means the
    /// server's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_seconds: Option<i64>,
    /// Token name; if absent or empty, the server picks a random name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_name: Option<String>,
    /// Scopes of the token; if absent, `*:*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// A single scope, as older clients send it; ignored if `scopes` is present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Resources the token may act on: `type:id`, `type:*` or `*:*`; if absent or empty, `*:*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_list: Option<Vec<String>>,
    /// Read only to refuse it with a reason: the lifetime determines the expiry.
    #[serde(default, skip_serializing)]
    #[cfg_attr(feature = "openapi", schema(ignore))]
    pub expires_at: Option<serde_json::Value>,
}

/// A new token. Only this response contains its secret.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct CreatedToken {
    /// The key with its secret.
    pub key: String,
    /// The token.
    #[serde(flatten)]
    pub token: ApiKey,
}

impl CreatedToken {
    /// Combines a new token with its secret.
    #[must_use]
    pub fn new(key: String, token: ApiKey) -> Self {
        Self { key, token }
    }
}

/// A new session key. Only this response contains its secret.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct CreatedKey {
    /// The key with its secret.
    pub key: String,
}

impl CreatedKey {
    /// Wraps a new session key.
    #[must_use]
    pub fn new(key: String) -> Self {
        Self { key }
    }
}
