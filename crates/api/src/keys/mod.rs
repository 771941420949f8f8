//! Keys: tokens and sessions.

use keyward_domain::Timestamp;
use keyward_domain::access::Act;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::endpoint::endpoint;
use crate::users::User;
use crate::{Access, NoBody, NoContent, NoQuery};

mod selector;

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

/// How a key was used and refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyActivity {
    /// Refused uses with the right secret, the last first. Each counts one code and address in an hour.
    pub refused: Vec<RefusedUses>,
    /// Accepted uses, the last first. Each counts one way, asking user and address.
    pub used: Vec<AcceptedUses>,
}

/// Refused uses that are alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RefusedUses {
    /// The code of the refusal.
    pub code: String,
    /// The client's address, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// How often.
    pub count: i64,
    /// When first.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub first_at: Timestamp,
    /// When last.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub last_at: Timestamp,
}

/// Accepted uses that are alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AcceptedUses {
    /// `api`, `verify`, `authz` or `embedded`.
    pub via: String,
    /// The username of the user who asked about the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The client's address, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// How often.
    pub count: i64,
    /// When first.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub first_at: Timestamp,
    /// When last.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub last_at: Timestamp,
}

/// Why a key is ended, and what ends with it. The request may also have no body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct ExpireKeyRequest {
    /// `unspecified`, `compromised`, `superseded`, `retired` or `policy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// A note for people, up to 500 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Whether the live keys end too that this key has created, and so on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cascade: Option<bool>,
}

impl ExpireKeyRequest {
    /// Gives the reason and a note.
    #[must_use]
    pub fn new(reason: Option<String>, note: Option<String>, cascade: bool) -> Self {
        Self { reason, note, cascade: cascade.then_some(true) }
    }
}

/// A text that may be a key.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IdentifyRequest {
    /// The text.
    pub key: String,
}

/// Whose key a text is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Identified {
    /// Whether the caller may see a key with the id in the text.
    pub found: bool,
    /// The key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<ApiKey>,
    /// The key's owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<User>,
    /// `exact` if the secret in the text is the key's; `id_only` if only the id is known; `malformed` if
    /// the text is not a key.
    pub how: String,
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
    /// Shows how a key was used and refused last: up to 100 rows of each.
    ViewKeyActivity = Get "/api/v2/users/{user}/keys/{keyid}/activity",
    access: Access::Needs(Act::ReadKeys),
    query: NoQuery,
    request: NoBody,
    response: 200 KeyActivity,
}

endpoint! {
    /// Expires a key now and keeps its record. Expiring an expired key changes nothing.
    ExpireKey = Put "/api/v2/users/{user}/keys/{keyid}/expire",
    access: Access::Needs(Act::ExpireKey),
    lane: Urgent,
    query: NoQuery,
    request: ExpireKeyRequest,
    response: 204 NoContent,
}

endpoint! {
    /// Finds whose key a text is. Records no use, and stores nothing but an audit entry.
    IdentifyKey = Post "/api/v2/keys/identify",
    access: Access::Needs(Act::ReadKeys),
    query: NoQuery,
    request: IdentifyRequest,
    response: 200 Identified,
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
