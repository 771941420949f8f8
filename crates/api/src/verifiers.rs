//! Embedded verifiers: services that verify keys in their own process. The server tells them of every
//! change. `docs/verification.md` describes the protocol.

use keyward_domain::Timestamp;
use keyward_domain::access::Act;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::endpoint::endpoint;
use crate::{Access, NoBody, NoQuery};

/// A verifier's poll for changes. A poll renews the verifier's lease.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PollRequest {
    /// The verifier's id: a random UUID that it generates when it starts.
    pub id: Uuid,
    /// The verifier's name, for people.
    pub name: String,
    /// The `start` of the last response; absent in the first poll.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Uuid>,
    /// The number of the last change that the verifier has applied.
    #[serde(default)]
    pub acknowledged: u64,
    /// Accepted uses of keys since the last reports, up to [`MOST_REPORTED`]; each key at most once a minute.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uses: Vec<ReportedUse>,
}

/// The most keys in the reports of one poll.
pub const MOST_REPORTED: usize = 250;

/// Uses of a key that a verifier has accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReportedUse {
    /// The key's id.
    pub key_id: String,
    /// The proof that the verifier knows the key, in hexadecimal: the SHA-256 of the text
    /// `keyward: a use of the key with this digest`, a line feed, and the SHA-256 of the key.
    pub proof: String,
    /// How long before the poll the newest use was, in milliseconds.
    pub ms_ago: u64,
    /// How many uses.
    pub count: u64,
    /// The address of the client of the newest use, if the service has given one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
}

/// The changes since the last poll.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PollResponse {
    /// Identifies the server's start. Change numbers count from there.
    pub start: Uuid,
    /// How long the verifier may use its cache, in milliseconds from when it sent the request; 0 means
    /// that it may not.
    pub lease_ms: u64,
    /// The number of the last change in this response.
    pub change: u64,
    /// Whether the verifier must clear its whole cache: `keys` and `users` are incomplete.
    pub reset: bool,
    /// The ids of the keys to evict from the cache.
    pub keys: Vec<String>,
    /// The ids of the users whose keys must all be evicted.
    #[serde(default)]
    pub users: Vec<Uuid>,
}

/// A verifier's request for a key that is not in its cache.
#[derive(Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LookUpRequest {
    /// The presented key.
    pub key: String,
}

/// The facts about a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LookUpResponse {
    /// Identifies the server's start.
    pub start: Uuid,
    /// The number of the last change before the facts were read. A verifier that has applied a later
    /// change must not cache them.
    pub change: u64,
    /// The time on the server's clock.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub now: Timestamp,
    /// The facts; absent if the secret is wrong or the key does not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<KeyFacts>,
}

/// The facts that decide whether a key is accepted, and no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyFacts {
    /// The key's id.
    pub key_id: String,
    /// The id of its user.
    pub user_id: Uuid,
    /// The name of its user.
    pub username: String,
    /// Whether its user is active, and not suspended.
    pub user_is_active: bool,
    /// What a lock on the key says to its holder, if a lock refuses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked: Option<String>,
    /// Its scopes, as it was given them.
    pub scopes: Vec<String>,
    /// Its scopes, and the parts of the composites among them, as far as no lock takes them.
    pub grants: Vec<String>,
    /// Its allow list.
    pub allow_list: Vec<String>,
    /// Expiry: the key is rejected from this instant on.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub expires_at: Timestamp,
}

/// A connected verifier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VerifierInfo {
    /// The verifier's id.
    pub id: Uuid,
    /// The verifier's name.
    pub name: String,
    /// When the verifier connected.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub connected_at: Timestamp,
    /// How many changes the verifier has not acknowledged yet.
    pub lag: u64,
    /// How long ago the server last responded to it, in milliseconds.
    pub answered_ms_ago: u64,
}

endpoint! {
    /// Waits for changes, for at most a third of the lease, and sends them to a verifier.
    PollVerifier = Post "/api/v2/verifiers/poll",
    access: Access::Needs(Act::VerifyKeys),
    query: NoQuery,
    request: PollRequest,
    response: 200 PollResponse,
}

endpoint! {
    /// Sends a verifier the facts about a key that was presented to it.
    LookUpKey = Post "/api/v2/verifiers/look-up",
    access: Access::Needs(Act::VerifyKeys),
    query: NoQuery,
    request: LookUpRequest,
    response: 200 LookUpResponse,
}

endpoint! {
    /// Lists the connected verifiers.
    ListVerifiers = Get "/api/v2/verifiers",
    access: Access::Needs(Act::VerifyKeys),
    query: NoQuery,
    request: NoBody,
    response: 200 Vec<VerifierInfo>,
}
