//! Keys: tokens and sessions.

use keyward_domain::Timestamp;
use keyward_domain::access::Act;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::endpoint::endpoint;
use crate::{Access, NoBody, NoContent, NoQuery};

/// How a key came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LoginType {
    /// Made on purpose and named.
    Token,
    /// A session, made by logging in.
    Password,
    /// Something that this version does not know.
    #[serde(other)]
    Other,
}

/// A key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[non_exhaustive]
pub struct ApiKey {
    /// The id, 14 characters.
    pub id: String,
    /// Whose it is.
    pub user_id: Uuid,
    /// When it was last used, to the minute (token) or hour (session); the epoch until then.
    #[schema(value_type = String, format = DateTime)]
    pub last_used: Timestamp,
    /// When it is over; at this instant it no longer works.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed, its end and its use aside.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// Token or session.
    pub login_type: LoginType,
    /// `all`, `application_connect` or nothing, for clients that know no `scopes`.
    pub scope: String,
    /// What it may do, in canonical form.
    pub scopes: Vec<String>,
    /// Its name; a session has none.
    pub token_name: String,
    /// How long it was made to live.
    pub lifetime_seconds: i64,
    /// What it may do it to.
    pub allow_list: Vec<String>,
}

/// The parts of an [`ApiKey`], for the server to fill: the struct itself may grow.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each field is described at `ApiKey`")]
pub struct ApiKeyParts {
    pub id: String,
    pub user_id: Uuid,
    pub last_used: Timestamp,
    pub expires_at: Timestamp,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub login_type: LoginType,
    pub scopes: Vec<String>,
    pub token_name: String,
    pub lifetime_seconds: i64,
    pub allow_list: Vec<String>,
}

impl From<ApiKeyParts> for ApiKey {
    fn from(parts: ApiKeyParts) -> Self {
        let has = |name: &str| parts.scopes.iter().any(|scope| scope == name);
        let scope = if has("*:*") {
            "all"
        } else if has("workspace:application_connect") {
            "application_connect"
        } else {
            ""
        };
        Self {
            id: parts.id,
            user_id: parts.user_id,
            last_used: parts.last_used,
            expires_at: parts.expires_at,
            created_at: parts.created_at,
            updated_at: parts.updated_at,
            login_type: parts.login_type,
            scope: scope.to_owned(),
            scopes: parts.scopes,
            token_name: parts.token_name,
            lifetime_seconds: parts.lifetime_seconds,
            allow_list: parts.allow_list,
        }
    }
}

/// A key and the name of its owner, as lists have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[non_exhaustive]
pub struct ApiKeyWithOwner {
    /// The key.
    #[serde(flatten)]
    pub key: ApiKey,
    /// The owner's username.
    pub username: String,
}

impl ApiKeyWithOwner {
    /// Names a key's owner.
    #[must_use]
    pub fn new(key: ApiKey, username: String) -> Self {
        Self { key, username }
    }
}

/// What a new token shall be. Everything may be left out.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[non_exhaustive]
pub struct CreateTokenRequest {
    /// How long it lives, in nanoseconds; 0 or absent: the server's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<i64>,
    /// Its name; absent or empty: a random one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_name: Option<String>,
    /// What it may do; absent: everything its user may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// One scope, as older clients send it; looked at only without `scopes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// What it may be used on, `type:id`, `type:*` or `*:*`; absent or empty: everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_list: Option<Vec<String>>,
    /// Read only to refuse it with a reason: the end follows from the lifetime.
    #[serde(default, skip_serializing)]
    #[schema(ignore)]
    pub expires_at: Option<serde_json::Value>,
}

/// A new token: the one time its secret is shown.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[non_exhaustive]
pub struct CreatedToken {
    /// The secret text.
    pub key: String,
    /// The token.
    #[serde(flatten)]
    pub token: ApiKey,
}

impl CreatedToken {
    /// Shows a new token with its secret.
    #[must_use]
    pub fn new(key: String, token: ApiKey) -> Self {
        Self { key, token }
    }
}

/// A new session key: the one time its secret is shown.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[non_exhaustive]
pub struct CreatedKey {
    /// The secret text.
    pub key: String,
}

impl CreatedKey {
    /// Shows a new secret.
    #[must_use]
    pub fn new(key: String) -> Self {
        Self { key }
    }
}

/// Which keys of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[non_exhaustive]
pub struct KeysQuery {
    /// The expired ones too.
    #[serde(default, deserialize_with = "crate::wire::flag")]
    pub include_expired: bool,
    /// At most so many, 1 to 1000.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::wire::number")]
    #[schema(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// The cursor out of the `Link` header of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl KeysQuery {
    /// The page of `limit` keys behind the cursor `after`.
    #[must_use]
    pub fn new(include_expired: bool, limit: Option<u32>, after: Option<String>) -> Self {
        Self { include_expired, limit, after }
    }
}

/// Which tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[non_exhaustive]
pub struct TokensQuery {
    /// Those of every user that may be read.
    #[serde(default, deserialize_with = "crate::wire::flag")]
    pub include_all: bool,
    /// The expired ones too.
    #[serde(default, deserialize_with = "crate::wire::flag")]
    pub include_expired: bool,
    /// At most so many, 1 to 1000.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::wire::number")]
    #[schema(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// The cursor out of the `Link` header of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl TokensQuery {
    /// The page of `limit` tokens behind the cursor `after`.
    #[must_use]
    pub fn new(include_all: bool, include_expired: bool, limit: Option<u32>, after: Option<String>) -> Self {
        Self { include_all, include_expired, limit, after }
    }
}

/// The limits for a user's tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[non_exhaustive]
pub struct TokenConfig {
    /// The longest lifetime, in nanoseconds.
    pub max_token_lifetime: i64,
}

impl TokenConfig {
    /// The longest lifetime, in nanoseconds.
    #[must_use]
    pub fn new(max_token_lifetime: i64) -> Self {
        Self { max_token_lifetime }
    }
}

endpoint! {
    /// Makes a session key for the user.
    CreateSessionKey = Post "/api/v2/users/{user}/keys",
    access: Access::Needs(Act::CreateKey),
    query: NoQuery,
    request: NoBody,
    response: 201 CreatedKey,
}

endpoint! {
    /// Lists the user's keys of every login type, latest end first.
    ListKeys = Get "/api/v2/users/{user}/keys",
    access: Access::Needs(Act::ReadKeys),
    query: KeysQuery,
    request: NoBody,
    response: 200 Vec<ApiKeyWithOwner>,
}

endpoint! {
    /// Makes a token for the user.
    CreateToken = Post "/api/v2/users/{user}/keys/tokens",
    access: Access::Needs(Act::CreateKey),
    query: NoQuery,
    request: CreateTokenRequest,
    response: 201 CreatedToken,
}

endpoint! {
    /// Lists the user's tokens, latest end first; with include_all, everyone's that may be read.
    ListTokens = Get "/api/v2/users/{user}/keys/tokens",
    access: Access::Needs(Act::ReadKeys),
    query: TokensQuery,
    request: NoBody,
    response: 200 Vec<ApiKeyWithOwner>,
}

endpoint! {
    /// Tells the limits for the user's tokens.
    ViewTokenConfig = Get "/api/v2/users/{user}/keys/tokens/tokenconfig",
    access: Access::Needs(Act::ReadKeys),
    query: NoQuery,
    request: NoBody,
    response: 200 TokenConfig,
}

endpoint! {
    /// Shows the live token of that name, or else the one that expired last.
    ViewTokenByName = Get "/api/v2/users/{user}/keys/tokens/{keyname}",
    access: Access::Needs(Act::ReadKeys),
    query: NoQuery,
    request: NoBody,
    response: 200 ApiKey,
}

endpoint! {
    /// Shows a key of any login type, expired or not.
    ViewKey = Get "/api/v2/users/{user}/keys/{keyid}",
    access: Access::Needs(Act::ReadKeys),
    query: NoQuery,
    request: NoBody,
    response: 200 ApiKey,
}

endpoint! {
    /// Ends a key now and keeps its record. Ending a dead key changes nothing.
    ExpireKey = Put "/api/v2/users/{user}/keys/{keyid}/expire",
    access: Access::Needs(Act::ExpireKey),
    query: NoQuery,
    request: NoBody,
    response: 204 NoContent,
}

endpoint! {
    /// Removes a key and its record. The audit log keeps what it was.
    DeleteKey = Delete "/api/v2/users/{user}/keys/{keyid}",
    access: Access::Needs(Act::DeleteKey),
    query: NoQuery,
    request: NoBody,
    response: 204 NoContent,
}
