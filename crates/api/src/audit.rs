//! The audit log.

use std::collections::BTreeMap;

use keyward_domain::Timestamp;
use keyward_domain::access::Act;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::endpoint::endpoint;
use crate::{Access, NoBody};

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
