//! The audit log.

use std::collections::BTreeMap;

use keyward_domain::Timestamp;
use keyward_domain::access::Act;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::endpoint::endpoint;
use crate::{Access, NoBody, NoQuery, PlainText};

/// An entry of the audit log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditLog {
    /// The entry's id.
    pub id: Uuid,
    /// The id of the request; the nil UUID if the server itself acted.
    pub request_id: Uuid,
    /// When it happened.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub time: Timestamp,
    /// The client's address; empty if the server itself acted.
    pub ip: String,
    /// The client's `User-Agent`.
    pub user_agent: String,
    /// `api_key`, `user`, `audit_log` or `clock`.
    pub resource_type: String,
    /// The id of the resource; for a key, the key's id.
    pub resource_id: String,
    /// The name of the resource; for a key, the key's name.
    pub resource_target: String,
    /// `create`, `write`, `delete`, `login` or `logout`; an expire is a `write`.
    pub action: String,
    /// What happened, such as `key.expired` or `user.suspended`.
    #[serde(default)]
    pub event: String,
    /// For `key.expired`, what led to it, such as `requested` or `logout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// How many times a step of the clock had been accepted before; absent if never. Entries of a later epoch
    /// are later, whatever their time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_epoch: Option<i64>,
    /// The id of the key that acted; absent if no key was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// Why a key was ended, if a reason was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The incident of which the entry is a part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident_id: Option<Uuid>,
    /// The fields that changed.
    pub diff: BTreeMap<String, DiffField>,
    /// The whole state before the action, or null.
    pub old: Value,
    /// The whole state after the action, or null.
    pub new: Value,
    /// The HTTP status of the response.
    pub status_code: u16,
    /// One sentence that describes the action.
    pub description: String,
    /// The user who acted; null for the server itself or an unknown user.
    pub user: Option<AuditActor>,
    /// More facts: for a key, `owner_id`; `minted_by`, the ids of the key that created the acting key, of
    /// the key that created that one, and so on.
    pub additional_fields: Value,
}

/// A field that changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DiffField {
    /// The value before the action.
    pub old: Value,
    /// The value after the action.
    pub new: Value,
    /// Whether the values are secret and therefore not shown.
    pub secret: bool,
}

/// The user who acted, as of the time of the action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditActor {
    /// The user's id.
    pub id: Uuid,
    /// The user's username at that time.
    pub username: String,
    /// The user's e-mail address at that time.
    pub email: String,
}

/// A page of the audit log, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditLogs {
    /// The entries.
    pub audit_logs: Vec<AuditLog>,
    /// The number of all matching entries, counted up to `count_cap`.
    pub count: u32,
    /// The maximum of `count`.
    pub count_cap: u32,
}

/// The query parameters of the audit log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AuditQuery {
    /// Space-separated `key:value` terms; a bare word is a `resource_type`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// Maximum number of entries, 1 to 1000; 100 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::wire::number")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1000))]
    pub limit: Option<u32>,
    /// The cursor from the `Link` header of the previous page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl AuditQuery {
    /// Asks for up to `limit` entries that match `q`, after the cursor `after`.
    #[must_use]
    pub fn new(q: Option<String>, limit: Option<u32>, after: Option<String>) -> Self {
        Self { q, limit, after }
    }
}

endpoint! {
    /// Lists the entries of the audit log, newest first.
    ListAudit = Get "/api/v2/audit",
    access: Access::Needs(Act::ReadAudit),
    query: AuditQuery,
    request: NoBody,
    response: 200 AuditLogs,
}

/// The state of the audit tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditTree {
    /// The name under which checkpoints are signed.
    pub origin: String,
    /// The number of sealed entries.
    pub size: u64,
    /// The newest checkpoint: a signed note (C2SP `tlog-checkpoint`); null before the first.
    pub checkpoint: Option<String>,
    /// The public keys with which servers have signed checkpoints, oldest first, as verifier keys (C2SP
    /// `signed-note`). They come from the server: keep your own copy to check the server with.
    pub verifier_keys: Vec<String>,
}

/// A leaf of the audit tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditLeaf {
    /// The leaf's index; absent if the entry is not in the tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// The entry's id.
    pub id: String,
    /// The leaf's hash in base64: SHA-256 of 0x00, the salt and the entry's canonical JSON (RFC 8785); absent
    /// if the entry is not in the tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// The salt in base64; absent if the log does not have the entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
    /// The entry; absent if the log does not have it. Retention removes entries, and leaves their hashes.
    // Not `AuditLog`: a client that is older than the server must hash the fields that it does not know too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<AuditLog>))]
    pub entry: Option<Value>,
    /// Why the entry's row cannot be read: it is not as the server wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
    /// Whether the entry waits to be sealed; absent if it is in the tree. An entry that is neither in the tree
    /// nor waits was not written by a server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_waiting: Option<bool>,
}

/// Leaves of the audit tree.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditLeaves {
    /// The leaves, in order.
    pub leaves: Vec<AuditLeaf>,
}

/// The query parameters of the leaves of the audit tree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditLeavesQuery {
    /// The index of the first leaf; 0 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::wire::number")]
    pub from: Option<u64>,
    /// The size of the tree: only leaves with a smaller index; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::wire::number")]
    pub size: Option<u64>,
    /// Maximum number of leaves, 1 to 1000; 1000 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::wire::number")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1000))]
    pub limit: Option<u32>,
}

/// The query parameters of the entries that are not in the audit tree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditUnsealedQuery {
    /// The size of the tree: entries whose leaf has this index or a greater one count as not in it. The present
    /// size if absent.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::wire::number")]
    pub size: Option<u64>,
}

endpoint! {
    /// Shows the newest checkpoint of the audit log: a signed note with the size and the root hash of its tree.
    ViewAuditCheckpoint = Get "/api/v2/audit/checkpoint",
    access: Access::Needs(Act::ReadAudit),
    query: NoQuery,
    request: NoBody,
    response: 200 PlainText,
}

endpoint! {
    /// Shows the state of the audit tree, with the public keys of its checkpoints.
    ViewAuditTree = Get "/api/v2/audit/tree",
    access: Access::Needs(Act::ReadAudit),
    query: NoQuery,
    request: NoBody,
    response: 200 AuditTree,
}

endpoint! {
    /// Lists the leaves of the audit tree with their entries, oldest first.
    ListAuditLeaves = Get "/api/v2/audit/leaves",
    access: Access::Needs(Act::ReadAudit),
    query: AuditLeavesQuery,
    request: NoBody,
    response: 200 AuditLeaves,
}

endpoint! {
    /// Lists the audit entries that are not in the audit tree, at most 1000.
    ListUnsealedAudit = Get "/api/v2/audit/unsealed",
    access: Access::Needs(Act::ReadAudit),
    query: AuditUnsealedQuery,
    request: NoBody,
    response: 200 AuditLeaves,
}

endpoint! {
    /// Proves that an entry is in the tree of the newest checkpoint (C2SP tlog-proof); its extra data is the salt.
    ProveAuditEntry = Get "/api/v2/audit/{id}/proof",
    access: Access::Needs(Act::ReadAudit),
    query: NoQuery,
    request: NoBody,
    response: 200 PlainText,
}
