//! Ending one key, and finding whose key a text is.

use keyward_domain::access::Act;
use serde::{Deserialize, Serialize};

use super::ApiKey;
use crate::endpoint::endpoint;
use crate::users::User;
use crate::{Access, NoContent, NoQuery};

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
