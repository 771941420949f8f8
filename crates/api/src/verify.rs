//! Asking whether a key that somebody presented is good: our own way, and the standards'.

use keyward_domain::access::Act;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::endpoint::endpoint;
use crate::keys::ApiKey;
use crate::users::User;
use crate::{Access, NoContent, NoQuery};

/// The most keys that one request may ask about.
pub const MOST_KEYS: usize = 100;

/// A presented key, and what it is needed for.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[non_exhaustive]
pub struct VerifyRequest {
    /// The text that was presented.
    pub key: String,
    /// Scopes that are needed, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// The thing that it is used on, `type:id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
}

impl VerifyRequest {
    /// Asks about a key that needs nothing but to be valid.
    #[must_use]
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into(), scopes: None, resource: None }
    }
}

/// What a presented key is good for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[non_exhaustive]
pub struct VerifyResponse {
    /// Is it good for what it is needed for?
    pub valid: bool,
    /// `valid`, `invalid_key`, `key_expired`, `user_suspended`, `insufficient_scope` or
    /// `resource_not_allowed`.
    pub code: String,
    /// The same, for people; absent when valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The key, if the secret was right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<ApiKey>,
    /// Its user, if the secret was right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<User>,
}

impl VerifyResponse {
    /// A judgement, with what may be shown to who holds the secret.
    #[must_use]
    pub fn new(code: &str, message: Option<String>, known: Option<(ApiKey, User)>) -> Self {
        let (key, user) = known.unzip();
        Self { valid: code == "valid", code: code.to_owned(), message, key, user }
    }
}

/// Several presented keys.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct VerifyBatchRequest {
    /// At most 100.
    pub keys: Vec<VerifyRequest>,
}

/// The judgements, in the order of the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VerifyBatchResponse {
    /// One for each key.
    pub results: Vec<VerifyResponse>,
}

/// The form that RFC 7662 and RFC 7009 send.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct TokenForm {
    /// The text that was presented.
    pub token: String,
    /// Not looked at: there is one type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_type_hint: Option<String>,
}

/// What RFC 7662 says of a token; for one that is not good, `active` alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Introspection {
    /// Is it good now?
    pub active: bool,
    /// Its scopes, separated by spaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The key's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Its user's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// `Bearer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_type: Option<String>,
    /// When it is over, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
    /// When it was made, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iat: Option<i64>,
    /// Its user's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<Uuid>,
    /// The key's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
}

endpoint! {
    /// Tells whether a presented key is good for what it is needed for.
    VerifyKey = Post "/api/v2/keys/verify",
    access: Access::Needs(Act::VerifyKeys),
    query: NoQuery,
    request: VerifyRequest,
    response: 200 VerifyResponse,
}

endpoint! {
    /// The same for up to 100 keys at once.
    VerifyKeys = Post "/api/v2/keys/verify/batch",
    access: Access::Needs(Act::VerifyKeys),
    query: NoQuery,
    request: VerifyBatchRequest,
    response: 200 VerifyBatchResponse,
}

endpoint! {
    /// Token introspection (RFC 7662). The caller's key is sent as Bearer, or as the password of Basic.
    Introspect = Post "/oauth2/introspect",
    access: Access::Needs(Act::VerifyKeys),
    query: NoQuery,
    request: form TokenForm,
    response: 200 Introspection,
}

endpoint! {
    /// Token revocation (RFC 7009): whoever holds a token may expire it. Also 200 for one that is unknown.
    Revoke = Post "/oauth2/revoke",
    access: Access::Public,
    query: NoQuery,
    request: form TokenForm,
    response: 200 NoContent,
}
