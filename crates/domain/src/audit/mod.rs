//! The audit log: what an entry holds, and how the states before and after become one.

mod query;

pub use query::{Filter, InvalidTerm};

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::access::ResourceKind;
use crate::clock::Timestamp;
use crate::key::ApiKey;
use crate::user::{Email, Roles, UnknownWord, User, UserId, Username};

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Something was made.
    Create,
    /// Something was changed; expiring is a change.
    Write,
    /// Something was removed.
    Delete,
    /// Somebody logged in, or failed to.
    Login,
    /// Somebody logged out.
    Logout,
}

impl Action {
    /// Every action there is.
    pub const ALL: [Self; 5] = [Self::Create, Self::Write, Self::Delete, Self::Login, Self::Logout];

    /// The word for it, on the wire and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::Login => "login",
            Self::Logout => "logout",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Action {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|action| action.as_str() == text)
            .ok_or_else(|| UnknownWord::new("audit action", text, "create, write, delete, login or logout"))
    }
}

/// Which request did it.
#[derive(Clone, Debug)]
pub struct RequestInfo {
    /// The request's id, which the client was told too.
    pub id: Uuid,
    /// The client's address, if it has one.
    pub ip: Option<IpAddr>,
    /// What the client calls itself; may be empty.
    pub user_agent: String,
}

/// Who did it, as they were called at the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Their id.
    pub id: UserId,
    /// Their name then.
    pub username: Username,
    /// Their address then.
    pub email: Email,
}

impl From<&User> for Actor {
    fn from(user: &User) -> Self {
        Self { id: user.id, username: user.username.clone(), email: user.email.clone() }
    }
}

/// An entry of the audit log. Written with the change it tells of, in one transaction.
#[derive(Clone, Debug)]
pub struct Entry {
    /// UUID version 7: its order is the order of writing.
    pub id: Uuid,
    /// When.
    pub time: Timestamp,
    /// By which request; none if the server itself did it.
    pub request: Option<RequestInfo>,
    /// By whom; none for the server itself, or someone unknown.
    pub actor: Option<Actor>,
    /// What was done.
    pub action: Action,
    /// To what kind of thing: `api_key`, `user`, `audit_log`.
    pub resource_type: String,
    /// To which one; for a key, its id.
    pub resource_id: String,
    /// What it is called; for a key, its name.
    pub resource_target: String,
    /// The HTTP status of the answer.
    pub status_code: u16,
    /// One sentence for people.
    pub description: String,
    /// The state before; null if there was none.
    pub old: Value,
    /// The state after; null if there is none.
    pub new: Value,
    /// What changed: `{field: {old, new, secret}}`.
    pub diff: Value,
    /// What else is worth knowing, by name.
    pub additional_fields: Value,
}

/// What an entry says beside the thing it is about.
#[derive(Clone, Debug)]
pub struct Context {
    /// When.
    pub time: Timestamp,
    /// By which request.
    pub request: Option<RequestInfo>,
    /// By whom.
    pub actor: Option<Actor>,
}

impl Context {
    /// An act of the server itself.
    #[must_use]
    pub fn system(time: Timestamp) -> Self {
        Self { time, request: None, actor: None }
    }

    /// Tells of a key that was made (`old` none), changed, or removed (`new` none).
    #[must_use]
    pub fn key(&self, action: Action, status_code: u16, old: Option<&ApiKey>, new: Option<&ApiKey>) -> Entry {
        let about = new.or(old);
        let verb = match (action, old, new) {
            (Action::Write, Some(_), Some(_)) => "expired",
            (Action::Create, ..) => "created",
            (Action::Delete, ..) => "deleted",
            (Action::Login, ..) => "logged in with",
            (Action::Logout, ..) => "logged out of",
            (Action::Write, ..) => "changed",
        };
        let target = about.map_or("", ApiKey::name_text);
        let id = about.map_or_else(String::new, |key| key.id.to_string());
        let named = if target.is_empty() { id.clone() } else { format!("\"{target}\" ({id})") };
        Entry {
            resource_id: id,
            resource_target: target.to_owned(),
            description: self.sentence(verb, "key", &named),
            additional_fields: about.map_or_else(|| json!({}), |key| json!({ "owner_id": key.user_id.to_string() })),
            ..self.entry(action, ResourceKind::ApiKey.as_str(), status_code, old.map(key_state), new.map(key_state))
        }
    }

    /// Tells of a user that was made, changed, or removed. A new password shows as a secret change.
    #[must_use]
    pub fn user(
        &self,
        action: Action,
        status_code: u16,
        old: Option<&User>,
        new: Option<&User>,
        password_changed: bool,
    ) -> Entry {
        let about = new.or(old);
        let verb = match action {
            Action::Create => "created",
            Action::Delete => "deleted",
            Action::Write | Action::Login | Action::Logout => "changed",
        };
        let target = about.map_or_else(String::new, |user| user.username.to_string());
        let mut entry = Entry {
            resource_id: about.map_or_else(String::new, |user| user.id.to_string()),
            description: self.sentence(verb, "user", &format!("\"{target}\"")),
            resource_target: target,
            ..self.entry(action, ResourceKind::User.as_str(), status_code, old.map(user_state), new.map(user_state))
        };
        if password_changed && let Value::Object(diff) = &mut entry.diff {
            diff.insert("password".to_owned(), json!({ "old": "", "new": "", "secret": true }));
        }
        entry
    }

    /// Tells of failed logins under one name from one address: who was meant, if anyone, and how
    /// many there were.
    #[must_use]
    pub fn failed_login(&self, meant: Option<&User>, count: u64, reason: &str) -> Entry {
        let target = meant.map_or_else(String::new, |user| user.username.to_string());
        Entry {
            resource_id: meant.map_or_else(String::new, |user| user.id.to_string()),
            resource_target: target,
            description: format!("login failed: {reason}"),
            additional_fields: json!({ "count": count, "reason": reason }),
            ..self.entry(Action::Login, ResourceKind::User.as_str(), 401, None, None)
        }
    }

    /// Tells of a batch that retention removed: what kind, how many, and up to when.
    #[must_use]
    pub fn retention(&self, removed: ResourceKind, count: usize, cutoff: Timestamp) -> Entry {
        Entry {
            description: format!("retention removed {count} {} records from before {cutoff}", removed.as_str()),
            additional_fields: json!({ "count": count, "before": cutoff }),
            ..self.entry(Action::Delete, removed.as_str(), 200, None, None)
        }
    }

    fn sentence(&self, verb: &str, noun: &str, named: &str) -> String {
        let who = self.actor.as_ref().map_or("the server", |actor| actor.username.as_str());
        format!("{who} {verb} {noun} {named}")
    }

    fn entry(&self, action: Action, kind: &str, status_code: u16, old: Option<State>, new: Option<State>) -> Entry {
        let diff = Value::Object(diff(old.as_ref(), new.as_ref()));
        Entry {
            id: Uuid::now_v7(),
            time: self.time,
            request: self.request.clone(),
            actor: self.actor.clone(),
            action,
            resource_type: kind.to_owned(),
            resource_id: String::new(),
            resource_target: String::new(),
            status_code,
            description: String::new(),
            old: old.map_or(Value::Null, Value::Object),
            new: new.map_or(Value::Null, Value::Object),
            diff,
            additional_fields: json!({}),
        }
    }
}

/// The whole state of a thing, by field, without secrets and digests.
type State = Map<String, Value>;

/// Fields that change with every change or use, and so say nothing in a diff.
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
    }))
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

/// The fields that differ, each with its two values; a missing side is null.
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
