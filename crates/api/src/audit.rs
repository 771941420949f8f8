//! The audit log.

use std::collections::BTreeMap;

use keyward_domain::Timestamp;
use keyward_domain::access::Act;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::endpoint::endpoint;
use crate::{Access, NoBody};

/// An entry of the audit log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditLog {
    /// The entry's id.
    pub id: Uuid,
    /// The request that did it; nil for the server itself.
    pub request_id: Uuid,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// The client's address; empty for the server itself.
    pub ip: String,
    /// What the client called itself.
    pub user_agent: String,
    /// `api_key`, `user` or `audit_log`.
    pub resource_type: String,
    /// Which one; for a key, its id.
    pub resource_id: String,
    /// What it is called; for a key, its name.
    pub resource_target: String,
    /// `create`, `write`, `delete`, `login` or `logout`; an expire is a `write`.
    pub action: String,
    /// What changed.
    pub diff: BTreeMap<String, DiffField>,
    /// The whole state before, or null.
    pub old: Value,
    /// The whole state after, or null.
    pub new: Value,
    /// The HTTP status of the answer.
    pub status_code: u16,
    /// One sentence for people.
    pub description: String,
    /// Who did it; null for the server itself, or someone unknown.
    pub user: Option<AuditActor>,
    /// What else is worth knowing; for a key, `owner_id`.
    pub additional_fields: Value,
}

/// A field that changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DiffField {
    /// Its value before.
    pub old: Value,
    /// Its value after.
    pub new: Value,
    /// The values are not shown.
    pub secret: bool,
}

/// Who did it, as they were called at the time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditActor {
    /// Their id.
    pub id: Uuid,
    /// Their username then.
    pub username: String,
    /// Their e-mail address then.
    pub email: String,
}

/// A page of the audit log, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditLogs {
    /// The entries.
    pub audit_logs: Vec<AuditLog>,
    /// How many match in all, counted up to `count_cap`.
    pub count: u32,
    /// Where counting stops.
    pub count_cap: u32,
}

/// Which entries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[non_exhaustive]
pub struct AuditQuery {
    /// Space-separated `key:value` terms; a bare word is a `resource_type`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// At most so many, 1 to 1000; 100 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::wire::number")]
    #[schema(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// The cursor out of the `Link` header of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl AuditQuery {
    /// The page of `limit` entries that match `q` behind the cursor `after`.
    #[must_use]
    pub fn new(q: Option<String>, limit: Option<u32>, after: Option<String>) -> Self {
        Self { q, limit, after }
    }
}

endpoint! {
    /// Reads the audit log, newest first.
    ListAudit = Get "/api/v2/audit",
    access: Access::Needs(Act::ReadAudit),
    query: AuditQuery,
    request: NoBody,
    response: 200 AuditLogs,
}
