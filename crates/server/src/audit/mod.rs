//! The audit log: an entry as clients see it, the endpoints, and the job that seals the log.

pub(crate) mod list;
pub(crate) mod proofs;
pub(crate) mod sealing;

use std::collections::BTreeMap;

use keyward_api::audit::{AuditActor, AuditLog, DiffField};
use keyward_domain::audit::Entry;
use keyward_domain::event::{Cause, EventKind};
use keyward_transparency::{NotCanonical, canonical_json};
use serde_json::Value;
use uuid::Uuid;

/// The canonical JSON of an entry (RFC 8785), which is hashed into the audit tree.
///
/// **Invariant:** an entry has the same JSON in every later version: a new field of [`AuditLog`] must be absent
/// in entries that were written before it.
pub(crate) fn canonical(entry: &Entry) -> Result<String, NotCanonical> {
    canonical_json(&show(entry))
}

/// The JSON of an entry on the wire.
pub(crate) fn wire(entry: &Entry) -> Result<Value, serde_json::Error> {
    serde_json::to_value(show(entry))
}

fn show(entry: &Entry) -> AuditLog {
    let request = entry.request.as_ref();
    AuditLog {
        id: entry.id,
        request_id: request.map_or(Uuid::nil(), |request| request.id),
        time: entry.time,
        ip: request.and_then(|request| request.ip).map_or_else(String::new, |ip| ip.to_string()),
        user_agent: request.map_or_else(String::new, |request| request.user_agent.clone()),
        resource_type: entry.resource_type.to_string(),
        resource_id: entry.resource_id.clone(),
        resource_target: entry.resource_target.clone(),
        action: entry.action.to_string(),
        event: entry.event.to_string(),
        cause: entry.cause.map(|cause| cause.to_string()),
        clock_epoch: Some(entry.clock_epoch).filter(|epoch| *epoch != 0),
        key_id: entry.key_id.as_ref().map(ToString::to_string),
        reason: reason(entry),
        incident_id: entry.incident,
        diff: diff(&entry.diff),
        old: entry.old.clone(),
        new: entry.new.clone(),
        status_code: status(entry.event, entry.cause),
        description: entry.description.clone(),
        user: entry.actor.as_ref().map(|actor| AuditActor {
            id: actor.id.as_uuid(),
            username: actor.username.to_string(),
            email: actor.email.to_string(),
        }),
        additional_fields: entry.additional_fields.clone(),
    }
}

/// Why a key was ended: in its state, or in the event of the incident itself.
fn reason(entry: &Entry) -> Option<String> {
    let text = |state: &Value, field: &str| state.get(field).and_then(Value::as_str).map(str::to_owned);
    match entry.event {
        EventKind::KeyExpired => text(&entry.new, "end_reason"),
        EventKind::IncidentBegan => text(&entry.additional_fields, "reason"),
        _ => None,
    }
}

/// The status of the answer to the request that caused the event; 200 if there was no request.
fn status(event: EventKind, cause: Option<Cause>) -> u16 {
    match event {
        EventKind::KeyCreated | EventKind::LoggedIn | EventKind::UserCreated | EventKind::LockAdded => 201,
        EventKind::KeyExpired => match cause {
            Some(Cause::Logout | Cause::RevokedByHolder | Cause::UserDeleted | Cause::Incident) => 200,
            Some(Cause::Requested | Cause::PasswordChanged | Cause::MinterEnded) | None => 204,
        },
        EventKind::KeyDeleted | EventKind::LockRemoved | EventKind::PasswordChanged => 204,
        EventKind::KeysRetired
        | EventKind::KeyIdentified
        | EventKind::IncidentBegan
        | EventKind::IncidentEnded
        | EventKind::UserSuspended
        | EventKind::UserActivated
        | EventKind::RolesChanged
        | EventKind::UserDeleted
        | EventKind::EntriesRetired
        | EventKind::SigningKeyAdded
        | EventKind::RetentionConfirmed
        | EventKind::ClockAdopted
        | EventKind::ClockAccepted => 200,
        EventKind::LoginFailed => 401,
        EventKind::LoginThrottled => 429,
    }
}

fn diff(stored: &Value) -> BTreeMap<String, DiffField> {
    let fields = stored.as_object().into_iter().flatten();
    fields
        .map(|(name, field)| {
            let part = |key: &str| field.get(key).cloned().unwrap_or_default();
            let secret = field.get("secret").and_then(Value::as_bool).unwrap_or(false);
            (name.clone(), DiffField { old: part("old"), new: part("new"), secret })
        })
        .collect()
}
