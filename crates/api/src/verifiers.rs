//! Embedded verifiers: services that judge keys in their own process, and are told of every change.
//! The protocol is described in `docs/verification.md`.

use keyward_domain::Timestamp;
use keyward_domain::access::Act;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::endpoint::endpoint;
use crate::{Access, NoBody, NoQuery};

/// A verifier asks what has changed. Asking renews its lease.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct PollRequest {
    /// Which verifier: a UUID that it drew when it started.
    pub id: Uuid,
    /// What it calls itself, for people.
    pub name: String,
    /// The server's start that it last heard of; absent at first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Uuid>,
    /// The last change that it has applied.
    #[serde(default)]
    pub acknowledged: u64,
}

/// What has changed since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PollResponse {
    /// The server's start: changes are numbered from it on.
    pub start: Uuid,
    /// For how long, counted from when the request was sent, the verifier may use what it
    /// remembers, in milliseconds; 0 if not at all.
    pub lease_ms: u64,
    /// The number of the last change told.
    pub change: u64,
    /// Forget everything: what is told is not all that has changed.
    pub reset: bool,
    /// The ids of the keys to be forgotten.
    pub keys: Vec<String>,
    /// The ids of the users whose keys, all of them, are to be forgotten.
    #[serde(default)]
    pub users: Vec<Uuid>,
}

/// A verifier asks about a key that it does not remember.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct LookUpRequest {
    /// The text that was presented.
    pub key: String,
}

/// The facts of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LookUpResponse {
    /// The server's start.
    pub start: Uuid,
    /// The last change before the facts were read. A verifier that has applied a later one must not
    /// remember them.
    pub change: u64,
    /// The server's clock.
    #[schema(value_type = String, format = DateTime)]
    pub now: Timestamp,
    /// The facts; absent when the secret is wrong, or there is no such key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<KeyFacts>,
}

/// What is needed to judge a key, and no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyFacts {
    /// The key's id.
    pub key_id: String,
    /// The id of its user.
    pub user_id: Uuid,
    /// The name of its user.
    pub username: String,
    /// Whether its user is active, and not suspended.
    pub user_is_active: bool,
    /// Its scopes, as it was given them.
    pub scopes: Vec<String>,
    /// Its scopes, and the parts of the composites among them.
    pub grants: Vec<String>,
    /// Its allow list.
    pub allow_list: Vec<String>,
    /// Expiry: the key is rejected from this instant on.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// A verifier that is connected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VerifierInfo {
    /// Its id.
    pub id: Uuid,
    /// What it calls itself.
    pub name: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub connected_at: Timestamp,
    /// How many changes it has not acknowledged yet.
    pub lag: u64,
    /// How long ago it was last answered, in milliseconds.
    pub answered_ms_ago: u64,
}

endpoint! {
    /// Tells a verifier what has changed, as soon as something has; held for a third of the lease at most.
    PollVerifier = Post "/api/v2/verifiers/poll",
    access: Access::Needs(Act::VerifyKeys),
    query: NoQuery,
    request: PollRequest,
    response: 200 PollResponse,
}

endpoint! {
    /// Tells a verifier the facts of a key that was presented to it.
    LookUpKey = Post "/api/v2/verifiers/look-up",
    access: Access::Needs(Act::VerifyKeys),
    query: NoQuery,
    request: LookUpRequest,
    response: 200 LookUpResponse,
}

endpoint! {
    /// Lists the verifiers that are connected.
    ListVerifiers = Get "/api/v2/verifiers",
    access: Access::Needs(Act::VerifyKeys),
    query: NoQuery,
    request: NoBody,
    response: 200 Vec<VerifierInfo>,
}
