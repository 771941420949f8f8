//! The audit log: the fields of an entry, and the conversion of an event to an entry.

mod query;

pub use query::{Filter, InvalidTerm};

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::access::ResourceKind;
use crate::clock::Timestamp;
use crate::confirmation::Witness;
use crate::event::{Actor, Cause, Event, EventKind, LoginFailure, Origin, RequestInfo};
use crate::key::{ApiKey, EndNote, EndReason, KeyId};
use crate::user::{Roles, User};
use crate::word::{UnknownWord, words};

/// What was done, in the words that clients search for.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
    strum::VariantNames,
)]
#[strum(serialize_all = "snake_case", parse_err_ty = UnknownWord, parse_err_fn = Self::unknown)]
pub enum Action {
    /// Something was created.
    Create,
    /// Something was changed. Expiring a key is a change.
    Write,
    /// Something was deleted.
    Delete,
    /// A login succeeded or failed.
    Login,
    /// A user logged out.
    Logout,
}

words!(Action, "audit action");

/// An entry of the audit log, made from an [`Event`]. It is written in the same transaction as the
/// change.
#[derive(Clone, Debug)]
pub struct Entry {
    /// UUID version 7, so that entries sort in the order of writing.
    pub id: Uuid,
    /// Time of the event.
    pub time: Timestamp,
    /// The request that caused the event; none if the server itself caused it.
    pub request: Option<RequestInfo>,
    /// The user who caused the event; none for the server itself or an unknown user.
    pub actor: Option<Actor>,
    /// The key that acted; none if no key was used.
    pub key_id: Option<KeyId>,
    /// What happened.
    pub event: EventKind,
    /// Why a key was expired; none for any other event.
    pub cause: Option<Cause>,
    /// The request that ends many keys, if the event is part of one.
    pub incident: Option<Uuid>,
    /// What was done, in the words that clients search for.
    pub action: Action,
    /// The type of the changed resource.
    pub resource_type: ResourceKind,
    /// The id of the changed resource.
    pub resource_id: String,
    /// The name of the changed resource: a token's name or a username.
    pub resource_target: String,
    /// One sentence for people.
    pub description: String,
    /// The state before; null if there was none.
    pub old: Value,
    /// The state after; null if there is none.
    pub new: Value,
    /// What changed: `{field: {old, new, secret}}`.
    pub diff: Value,
    /// Further fields by name.
    pub additional_fields: Value,
    /// How many times an operator or a server had accepted a step of the clock before. Entries of a later
    /// epoch are later, whatever their time. Set by the database when the entry is written.
    pub clock_epoch: i64,
}

impl Entry {
    /// Makes the entry for an event.
    #[must_use]
    pub fn of(origin: &Origin, event: &Event) -> Self {
        let mut entry = Self::without_minters(origin, event);
        if let Some(key) = origin.key.as_ref().filter(|key| !key.minted_by.is_empty())
            && let Value::Object(fields) = &mut entry.additional_fields
        {
            let ids: Vec<&str> = key.minted_by.iter().map(KeyId::as_str).collect();
            fields.insert("minted_by".to_owned(), json!(ids));
        }
        entry
    }

    fn without_minters(origin: &Origin, event: &Event) -> Self {
        let entry = EntryBuilder { origin, event };
        match event {
            Event::KeyCreated { key } => entry.key("created", None, Some(key)),
            Event::LoggedIn { key } => entry.key("logged in with", None, Some(key)),
            Event::KeyExpired { before, after, cause, .. } => match cause {
                Cause::Requested
                | Cause::PasswordChanged
                | Cause::UserDeleted
                | Cause::MinterEnded
                | Cause::Incident => entry.key("expired", Some(before), Some(after)),
                Cause::Logout => entry.key("logged out of", Some(before), Some(after)),
                Cause::RevokedByHolder => Self {
                    description: format!("a holder of key {} revoked it", after.id),
                    ..entry.key("expired", Some(before), Some(after))
                },
            },
            Event::KeyIdentified { key, exact } => {
                let how = if *exact { "with the right secret" } else { "without the right secret" };
                let whose = entry.key("identified", key.as_ref(), key.as_ref());
                let described = if key.is_some() { whose.description.as_str() } else { "no key has the identified id" };
                Self { description: format!("{described}, {how}"), old: Value::Null, new: Value::Null, ..whose }
            }
            Event::IncidentBegan { id, matched, digest, reason, note } => Self {
                resource_id: id.to_string(),
                description: entry.sentence("expires", "keys of incident", &id.to_string()),
                additional_fields: json!({
                    "matched": matched,
                    "digest": digest,
                    "reason": reason.as_str(),
                    "note": note.as_ref().map(EndNote::as_str),
                }),
                ..entry.entry(None, None)
            },
            Event::IncidentEnded { id, expired, confirmation } => Self {
                resource_id: id.to_string(),
                description: entry.sentence("expired", "keys of incident", &id.to_string()),
                additional_fields: json!({
                    "expired": expired,
                    "confirmed": confirmation.confirmed(),
                    "lapsed": confirmation.lapsed(),
                    "waited_ms": confirmation.waited_ms,
                    "verifiers": confirmation.witnesses.iter().map(witness).collect::<Vec<_>>(),
                }),
                ..entry.entry(None, None)
            },
            Event::LockAdded { id, state } => entry.lock("added", *id, None, Some(state)),
            Event::LockRemoved { id, state } => entry.lock("removed", *id, Some(state), None),
            Event::KeyDeleted { key } => entry.key("deleted", Some(key), None),
            Event::KeysRetired { count, cutoff } => entry.retired(*count, *cutoff),
            Event::EntriesRetired { count, cutoff, leaves } => Self {
                additional_fields: json!({ "count": count, "before": cutoff, "leaves": leaves }),
                ..entry.retired(*count, *cutoff)
            },
            Event::SigningKeyAdded { verifier_key } => Self {
                description: format!("a server signs checkpoints of the audit log with the key {verifier_key}"),
                additional_fields: json!({ "verifier_key": verifier_key }),
                ..entry.entry(None, None)
            },
            Event::UserCreated { user } => entry.user("created", None, Some(user)),
            Event::UserChanged { before, after, .. } => entry.user("changed", Some(before), Some(after)),
            Event::UserDeleted { user } => entry.user("deleted", Some(user), None),
            Event::LoginFailed { user, count, reason } => entry.login_failed(user.as_ref(), *count, *reason),
            Event::LoginThrottled { user, until } => Self {
                resource_id: user.as_ref().map_or_else(String::new, |user| user.id.to_string()),
                resource_target: user.as_ref().map_or_else(String::new, |user| user.username.to_string()),
                description: format!("too many wrong passwords: logins from this address are refused until {until}"),
                additional_fields: json!({ "until": until }),
                ..entry.entry(None, None)
            },
            Event::RetentionConfirmed { count, cutoff } => Self {
                description: format!("an operator confirmed that retention removes keys that expired before {cutoff}"),
                additional_fields: json!({ "count": count, "before": cutoff }),
                ..entry.entry(None, None)
            },
            Event::ClockAdopted { before, after } => Self {
                description: format!("the server adopted a step of its clock from {before} to {after}"),
                ..entry.entry(time_state(*before), time_state(*after))
            },
            Event::ClockAccepted { newest, now } => Self {
                description: format!("an operator accepted the time {now}, although an audit entry is from {newest}"),
                ..entry.entry(time_state(*newest), time_state(*now))
            },
        }
    }
}

/// Builds the entry for an event.
struct EntryBuilder<'a> {
    origin: &'a Origin,
    event: &'a Event,
}

impl EntryBuilder<'_> {
    fn key(&self, verb: &str, old: Option<&ApiKey>, new: Option<&ApiKey>) -> Entry {
        let about = new.or(old);
        let target = about.map_or("", ApiKey::name_text);
        let id = about.map_or_else(String::new, |key| key.id.to_string());
        let named = if target.is_empty() { id.clone() } else { format!("\"{target}\" ({id})") };
        Entry {
            resource_id: id,
            resource_target: target.to_owned(),
            description: self.sentence(verb, "key", &named),
            additional_fields: about.map_or_else(|| json!({}), |key| json!({ "owner_id": key.user_id.to_string() })),
            ..self.entry(old.map(key_state), new.map(key_state))
        }
    }

    fn lock(&self, verb: &str, id: Uuid, old: Option<&State>, new: Option<&State>) -> Entry {
        Entry {
            resource_id: id.to_string(),
            description: self.sentence(verb, "lock", &id.to_string()),
            ..self.entry(old.cloned(), new.cloned())
        }
    }

    /// A password change appears in the diff as a changed secret without values.
    fn user(&self, verb: &str, old: Option<&User>, new: Option<&User>) -> Entry {
        let about = new.or(old);
        let target = about.map_or_else(String::new, |user| user.username.to_string());
        let mut entry = Entry {
            resource_id: about.map_or_else(String::new, |user| user.id.to_string()),
            description: self.sentence(verb, "user", &format!("\"{target}\"")),
            resource_target: target,
            ..self.entry(old.map(user_state), new.map(user_state))
        };
        if entry.event == EventKind::PasswordChanged
            && let Value::Object(diff) = &mut entry.diff
        {
            diff.insert("password".to_owned(), json!({ "old": "", "new": "", "secret": true }));
        }
        entry
    }

    /// The entered name is left out if no user has it: people enter passwords in the name field.
    fn login_failed(&self, user: Option<&User>, count: u64, reason: LoginFailure) -> Entry {
        Entry {
            resource_id: user.map_or_else(String::new, |user| user.id.to_string()),
            resource_target: user.map_or_else(String::new, |user| user.username.to_string()),
            description: format!("login failed: {reason}"),
            additional_fields: json!({ "count": count, "reason": reason.to_string() }),
            ..self.entry(None, None)
        }
    }

    fn retired(&self, count: usize, cutoff: Timestamp) -> Entry {
        let kind = self.event.kind().resource();
        Entry {
            description: format!("retention removed {count} {kind} records from before {cutoff}"),
            additional_fields: json!({ "count": count, "before": cutoff }),
            ..self.entry(None, None)
        }
    }

    fn sentence(&self, verb: &str, noun: &str, named: &str) -> String {
        let who = self.origin.actor.as_ref().map_or("the server", |actor| actor.username.as_str());
        format!("{who} {verb} {noun} {named}")
    }

    fn entry(&self, old: Option<State>, new: Option<State>) -> Entry {
        let diff = Value::Object(diff(old.as_ref(), new.as_ref()));
        let (kind, cause) = (self.event.kind(), self.event.cause());
        Entry {
            id: Uuid::now_v7(),
            time: self.origin.time,
            request: self.origin.request.clone(),
            actor: self.origin.actor.clone(),
            key_id: self.origin.key.as_ref().map(|key| key.id.clone()),
            event: kind,
            cause,
            incident: self.event.incident(),
            action: kind.action(cause),
            resource_type: kind.resource(),
            resource_id: String::new(),
            resource_target: String::new(),
            description: String::new(),
            old: old.map_or(Value::Null, Value::Object),
            new: new.map_or(Value::Null, Value::Object),
            diff,
            additional_fields: json!({}),
            clock_epoch: 0,
        }
    }
}

fn witness(witness: &Witness) -> Value {
    json!({ "id": witness.id, "name": witness.name, "confirmed_at": witness.confirmed_at })
}

/// The whole state of a resource by field, without secrets and digests.
type State = Map<String, Value>;

/// Fields that every change or use updates, so a diff omits them.
const NOT_IN_DIFF: [&str; 3] = ["updated_at", "last_used", "last_seen_at"];

fn key_state(key: &ApiKey) -> State {
    into_state(json!({
        "id": key.id.as_str(),
        "user_id": key.user_id.to_string(),
        "token_name": key.name_text(),
        "login_type": key.login_type.as_str(),
        "scopes": key.scopes.to_strings(),
        "allow_list": key.allow_list.to_strings(),
        "lifetime_seconds": key.lifetime.as_secs(),
        "created_at": key.created_at,
        "updated_at": key.updated_at,
        "last_used": key.last_used,
        "expires_at": key.expires_at,
        "ended_at": key.ended_at,
        "end_reason": key.end_reason.map(EndReason::as_str),
        "end_note": key.end_note.as_ref().map(EndNote::as_str),
        "minted_by": key.minted_by.as_ref().map(KeyId::as_str),
    }))
}

fn time_state(time: Timestamp) -> Option<State> {
    Some(into_state(json!({ "time": time })))
}

fn user_state(user: &User) -> State {
    into_state(json!({
        "id": user.id.to_string(),
        "username": user.username.as_str(),
        "name": user.name,
        "email": user.email.as_str(),
        "login_type": user.login.as_str(),
        "status": user.status.as_str(),
        "roles": role_names(&user.roles),
        "created_at": user.created_at,
        "updated_at": user.updated_at,
        "last_seen_at": user.last_seen_at,
    }))
}

fn role_names(roles: &Roles) -> Vec<&'static str> {
    roles.iter().map(crate::Role::as_str).collect()
}

fn into_state(value: Value) -> State {
    match value {
        Value::Object(state) => state,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => State::new(),
    }
}

/// The fields that differ, each with its old and new value; a missing value is null.
fn diff(old: Option<&State>, new: Option<&State>) -> Map<String, Value> {
    let fields = old.into_iter().chain(new).flat_map(Map::keys);
    let value =
        |state: Option<&State>, field: &str| state.and_then(|state| state.get(field)).cloned().unwrap_or_default();
    fields
        .filter(|field| !NOT_IN_DIFF.contains(&field.as_str()))
        .map(|field| (field, value(old, field), value(new, field)))
        .filter(|(_, before, after)| before != after)
        .map(|(field, before, after)| (field.clone(), json!({ "old": before, "new": after, "secret": false })))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_holds_what_changed_and_only_that() {
        let state = |text: &str| into_state(serde_json::from_str(text).unwrap());
        let old = state(r#"{"a": 1, "b": 2, "updated_at": 1}"#);
        let new = state(r#"{"a": 1, "b": 3, "c": null, "updated_at": 2}"#);
        assert_eq!(
            Value::Object(diff(Some(&old), Some(&new))),
            json!({ "b": { "old": 2, "new": 3, "secret": false } })
        );
        assert_eq!(diff(None, Some(&old)).len(), 2);
    }
}
