//! Verification of presented keys: Keyward's own endpoints, and those of the OAuth standards.

use keyward_domain::access::Act;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::endpoint::endpoint;
use crate::keys::ApiKey;
use crate::users::User;
use crate::{Access, NoContent, NoQuery};

/// Maximum number of keys in one request.
pub const MOST_KEYS: usize = 100;

/// A presented key, and the rights that it needs.
#[derive(Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct VerifyRequest {
    /// The presented key.
    pub key: String,
    /// Required scopes; the key must have all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// The resource that the key is used on, as `type:id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
}

impl VerifyRequest {
    /// Asks whether a key is valid, without required rights.
    #[must_use]
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into(), scopes: None, resource: None }
    }
}

/// The verdict on a presented key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct VerifyResponse {
    /// Whether the key is valid and has the required rights.
    pub valid: bool,
    /// `valid`, `invalid_key`, `key_expired`, `user_suspended`, `locked`, `insufficient_scope` or
    /// `resource_not_allowed`.
    pub code: String,
    /// The reason, as text for people; absent if the key is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The key; absent if the secret was wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<ApiKey>,
    /// The key's owner; absent if the secret was wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<User>,
}

impl VerifyResponse {
    /// Builds a verdict. `known` is set only if the secret was right.
    #[must_use]
    pub fn new(code: &str, message: Option<String>, known: Option<(ApiKey, User)>) -> Self {
        let (key, user) = known.unzip();
        Self { valid: code == "valid", code: code.to_owned(), message, key, user }
    }
}

/// A batch of presented keys.
#[derive(Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VerifyBatchRequest {
    /// The keys, at most 100.
    pub keys: Vec<VerifyRequest>,
}

/// The verdicts, in the order of the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VerifyBatchResponse {
    /// One verdict for each key.
    pub results: Vec<VerifyResponse>,
}

/// The request form of RFC 7662 and RFC 7009.
#[derive(Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenForm {
    /// The presented key.
    pub token: String,
    /// Ignored: Keyward has only one token type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_type_hint: Option<String>,
}

/// The response of RFC 7662. If the token is not valid, it contains only `active`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Introspection {
    /// Whether the token is valid now.
    pub active: bool,
    /// The token's scopes, separated by spaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The key's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The owner's username.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Always `Bearer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_type: Option<String>,
    /// Expiry, in seconds since 1970-01-01 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
    /// Creation time, in seconds since 1970-01-01 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iat: Option<i64>,
    /// The owner's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<Uuid>,
    /// The key's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
}

endpoint! {
    /// Verifies a presented key and the rights that it needs.
    VerifyKey = Post "/api/v2/keys/verify",
    access: Access::Needs(Act::VerifyKeys),
    query: NoQuery,
    request: VerifyRequest,
    response: 200 VerifyResponse,
}

endpoint! {
    /// Verifies up to 100 presented keys in one request.
    VerifyKeys = Post "/api/v2/keys/verify/batch",
    access: Access::Needs(Act::VerifyKeys),
    query: NoQuery,
    request: VerifyBatchRequest,
    response: 200 VerifyBatchResponse,
}

endpoint! {
    /// Token introspection (RFC 7662). The caller sends its own key as Bearer, or as the password of Basic.
    Introspect = Post "/oauth2/introspect",
    access: Access::Needs(Act::VerifyKeys),
    query: NoQuery,
    request: form TokenForm,
    response: 200 Introspection,
}

endpoint! {
    /// Token revocation (RFC 7009): any holder of a token may expire it. An unknown token also gives 200.
    Revoke = Post "/oauth2/revoke",
    access: Access::Public,
    query: NoQuery,
    request: form TokenForm,
    response: 200 NoContent,
}
