//! Keys: tokens and sessions.

use keyward_domain::Timestamp;
use keyward_domain::access::Act;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::endpoint::endpoint;
use crate::{Access, NoBody, NoContent, NoQuery};

mod activity;
mod create;
mod expire;
mod selector;

pub use activity::{AcceptedUses, KeyActivity, RefusedUses, ViewKeyActivity};
pub use create::{CreateTokenRequest, CreatedKey, CreatedToken};
pub use expire::{ExpireKey, ExpireKeyRequest, Identified, IdentifyKey, IdentifyRequest};
pub use selector::{KeySelector, KeysQuery, TokensQuery};

/// How a key was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LoginType {
    /// A token, created by request and named.
    Token,
    /// A session, created by logging in.
    Password,
    /// A login type that this version does not know.
    #[serde(other)]
    Other,
}

/// The kind of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeyKind {
    /// Created by request and named.
    Token,
    /// Created by logging in.
    Session,
    /// A kind that this version does not know.
    #[serde(other)]
    Other,
}

/// Whether a key works, as of the time of the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeyStatus {
    /// The key works.
    Live,
    /// The key has expired, or was ended.
    Expired,
    /// A lock refuses the key.
    Locked,
    /// The key's owner is suspended.
    UserSuspended,
    /// A status that this version does not know.
    #[serde(other)]
    Other,
}

/// A key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct ApiKey {
    /// The key's id, 14 characters.
    pub id: String,
    /// The owner's id.
    pub user_id: Uuid,
    /// Last use, to the minute (token) or hour (session); `1970-01-01T00:00:00Z` if never used.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub last_used: Timestamp,
    /// Expiry: the key is rejected from this instant on.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub expires_at: Timestamp,
    /// Creation time.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_at: Timestamp,
    /// Time of the last change, except for expiry and use.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub updated_at: Timestamp,
    /// Whether the key is a token or a session.
    pub login_type: LoginType,
    /// `all`, `application_connect` or empty, for clients that do not know `scopes`.
    pub scope: String,
    /// The key's scopes, in canonical form.
    pub scopes: Vec<String>,
    /// The token's name; empty for a session.
    pub token_name: String,
    /// Lifetime at creation, in seconds.
    pub lifetime_seconds: i64,
    /// Resources the key may act on.
    pub allow_list: Vec<String>,
    /// The kind; absent from older servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<KeyKind>,
    /// Whether the key works; absent from older servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<KeyStatus>,
    /// When the key was ended before its expiry; absent if it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub ended_at: Option<Timestamp>,
    /// Why the key was ended by hand; absent if no reason was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_reason: Option<String>,
    /// A note on why the key was ended by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_note: Option<String>,
    /// The address of the client that used the key last, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_ip: Option<String>,
    /// The id of the key that created this one; absent if a login did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minted_by: Option<String>,
    /// The plain scopes that `scopes` stands for; absent if it holds no composite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes_expanded: Option<Vec<String>>,
}

/// The parts of an [`ApiKey`]. The server fills them, because `ApiKey` is non-exhaustive.
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
    pub kind: KeyKind,
    pub status: KeyStatus,
    pub ended_at: Option<Timestamp>,
    pub end_reason: Option<String>,
    pub end_note: Option<String>,
    pub last_used_ip: Option<String>,
    pub minted_by: Option<String>,
    pub scopes_expanded: Option<Vec<String>>,
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
            kind: Some(parts.kind),
            status: Some(parts.status),
            ended_at: parts.ended_at,
            end_reason: parts.end_reason,
            end_note: parts.end_note,
            last_used_ip: parts.last_used_ip,
            minted_by: parts.minted_by,
            scopes_expanded: parts.scopes_expanded,
        }
    }
}

/// A key and its owner's username, as in lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct ApiKeyWithOwner {
    /// The key.
    #[serde(flatten)]
    pub key: ApiKey,
    /// The owner's username.
    pub username: String,
}

impl ApiKeyWithOwner {
    /// Adds the owner's username to a key.
    #[must_use]
    pub fn new(key: ApiKey, username: String) -> Self {
        Self { key, username }
    }
}

/// The limits for a user's tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct TokenConfig {
    /// Maximum lifetime, in nanoseconds.
    pub max_token_lifetime: i64,
}

impl TokenConfig {
    /// Takes the maximum lifetime, in nanoseconds.
    #[must_use]
    pub fn new(max_token_lifetime: i64) -> Self {
        Self { max_token_lifetime }
    }
}

endpoint! {
    /// Creates a session key for the user.
    CreateSessionKey = Post "/api/v2/users/{user}/keys",
    access: Access::Needs(Act::CreateKey),
    query: NoQuery,
    request: NoBody,
    response: 201 CreatedKey,
}

endpoint! {
    /// Lists the user's keys of every login type, latest expiry first.
    ListKeys = Get "/api/v2/users/{user}/keys",
    access: Access::Needs(Act::ReadKeys),
    query: KeysQuery,
    request: NoBody,
    response: 200 Vec<ApiKeyWithOwner>,
}

endpoint! {
    /// Creates a token for the user.
    CreateToken = Post "/api/v2/users/{user}/keys/tokens",
    access: Access::Needs(Act::CreateKey),
    query: NoQuery,
    request: CreateTokenRequest,
    response: 201 CreatedToken,
}

endpoint! {
    /// Lists the user's tokens, latest expiry first; include_all adds all that the caller may read.
    ListTokens = Get "/api/v2/users/{user}/keys/tokens",
    access: Access::Needs(Act::ReadKeys),
    query: TokensQuery,
    request: NoBody,
    response: 200 Vec<ApiKeyWithOwner>,
}

endpoint! {
    /// Shows the limits for the user's tokens.
    ViewTokenConfig = Get "/api/v2/users/{user}/keys/tokens/tokenconfig",
    access: Access::Needs(Act::ReadKeys),
    query: NoQuery,
    request: NoBody,
    response: 200 TokenConfig,
}

endpoint! {
    /// Shows the live token of this name; without one, the token of this name that expired last.
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
    /// Deletes a key and its record. The audit log keeps its last state.
    DeleteKey = Delete "/api/v2/users/{user}/keys/{keyid}",
    access: Access::Needs(Act::DeleteKey),
    lane: Urgent,
    query: NoQuery,
    request: NoBody,
    response: 204 NoContent,
}
