//! Parses the conditions of lists and selectors, and why keys are ended.

use std::collections::BTreeSet;
use std::str::FromStr;

use keyward_api::ErrorCode;
use keyward_api::keys::KeySelector as Wire;
use keyward_api::locks::AddLockRequest;
use keyward_domain::key::{EndNote, EndReason, KeySelector, KeyState, Period};
use keyward_domain::lock::{LockMode, LockSelector};
use keyward_domain::user::UserRef;
use keyward_domain::{Catalogue, KeyId, Scopes, Timestamp};
use keyward_service::keys::{Sort, Why};
use keyward_service::locks::NewLock;

use crate::http::Problem;

/// The most ids in a selector.
const MOST_IDS: usize = 1_000;

/// Collects the fields that are wrong, so that the error names all of them.
#[derive(Default)]
struct Fields {
    wrong: Vec<(&'static str, String)>,
}

impl Fields {
    fn parse<T>(
        &mut self,
        field: &'static str,
        text: Option<&str>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        match parse(text?) {
            Ok(value) => Some(value),
            Err(detail) => {
                self.wrong.push((field, detail));
                None
            }
        }
    }

    fn period(&mut self, fields: [&'static str; 2], after: Option<&str>, before: Option<&str>) -> Period {
        let [first, last] = fields;
        Period { after: self.parse(first, after, instant), before: self.parse(last, before, instant) }
    }

    fn ids(&mut self, ids: Option<&[String]>) -> Option<BTreeSet<KeyId>> {
        let ids = ids?;
        if ids.len() > MOST_IDS {
            self.wrong.push(("ids", format!("ids has {} ids; at most {MOST_IDS} are allowed", ids.len())));
            return None;
        }
        ids.iter().map(|id| self.parse("ids", Some(id), word)).collect()
    }

    fn end(self) -> Result<(), Problem> {
        if self.wrong.is_empty() {
            return Ok(());
        }
        let problem = Problem::new(ErrorCode::ValidationFailed, "A condition has an invalid value.");
        Err(self.wrong.into_iter().fold(problem, |problem, (field, detail)| problem.validation(field, detail)))
    }
}

fn word<T: FromStr<Err: ToString>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

/// An instant in RFC 3339, or a date, which means its beginning in UTC.
fn instant(text: &str) -> Result<Timestamp, String> {
    let is_date = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let whole = if is_date { format!("{text}T00:00:00Z") } else { text.to_owned() };
    whole.parse().map_err(|_invalid| {
        format!(
            "\"{text}\" is not an instant: want RFC 3339, such as 2026-11-01T12:00:00Z, or a date, such as 2026-11-01"
        )
    })
}

/// The conditions of a list or a selector. The owner is returned apart, because it has yet to be found.
pub(super) fn selector(wire: &Wire, catalogue: &Catalogue) -> Result<(KeySelector, Option<UserRef>), Problem> {
    let mut fields = Fields::default();
    let user = fields.parse("user", wire.user.as_deref(), word);
    let status = fields.parse("status", wire.status.as_deref(), |text| match text {
        "live" => Ok(KeyState::Live),
        "expired" => Ok(KeyState::Expired),
        "locked" => Ok(KeyState::Locked),
        _ => Err(format!("unknown status \"{text}\": want live, expired or locked")),
    });
    let ids = fields.ids(wire.ids.as_deref());
    let selector = KeySelector {
        user: None,
        status,
        kind: fields.parse("kind", wire.kind.as_deref(), word),
        name: wire.name.as_ref().map(|name| name.to_lowercase()),
        scope: fields.parse("scope", wire.scope.as_deref(), |text| {
            catalogue.parse_scope(text).map_err(|error| error.to_string())
        }),
        created: fields.period(
            ["created_after", "created_before"],
            wire.created_after.as_deref(),
            wire.created_before.as_deref(),
        ),
        expires: fields.period(
            ["expires_after", "expires_before"],
            wire.expires_after.as_deref(),
            wire.expires_before.as_deref(),
        ),
        last_used: fields.period(
            ["last_used_after", "last_used_before"],
            wire.last_used_after.as_deref(),
            wire.last_used_before.as_deref(),
        ),
        never_used: wire.never_used,
        last_used_ip: fields.parse("last_used_ip", wire.last_used_ip.as_deref(), |text| {
            let address = || text.parse::<std::net::IpAddr>().map(ipnet::IpNet::from);
            text.parse::<ipnet::IpNet>().or_else(|_not_a_network| address()).map_err(|_neither| {
                format!("\"{text}\" is not a network: want an address or a network, such as 192.0.2.0/24")
            })
        }),
        minted_by: fields.parse("minted_by", wire.minted_by.as_deref(), word),
        end_reason: fields.parse("end_reason", wire.end_reason.as_deref(), word),
        ids,
    };
    fields.end()?;
    Ok((selector, user))
}

/// By what a list is ordered, and whether the earliest comes first.
pub(super) fn order(sort: Option<&str>, order: Option<&str>) -> Result<(Sort, bool), Problem> {
    let mut fields = Fields::default();
    let sort = fields.parse("sort", sort, |text| match text {
        "expires_at" => Ok(Sort::Expiry),
        "created_at" => Ok(Sort::Creation),
        "last_used" => Ok(Sort::Use),
        _ => Err(format!("cannot sort by \"{text}\": want expires_at, created_at or last_used")),
    });
    let ascending = fields.parse("order", order, |text| match text {
        "asc" => Ok(true),
        "desc" => Ok(false),
        _ => Err(format!("unknown order \"{text}\": want asc or desc")),
    });
    fields.end()?;
    Ok((sort.unwrap_or_default(), ascending.unwrap_or(false)))
}

/// Why keys are ended.
pub(super) fn why(reason: Option<&str>, note: Option<&str>, cascades: bool) -> Result<Why, Problem> {
    let mut fields = Fields::default();
    let reason: Option<EndReason> = fields.parse("reason", reason, word);
    let note = fields.parse("note", note, |text| EndNote::new(text).map_err(|error| error.to_string()));
    fields.end()?;
    Ok(Why { reason, note: note.flatten(), cascades })
}

/// A new lock.
pub(super) fn lock(wire: AddLockRequest, catalogue: &Catalogue, now: Timestamp) -> Result<NewLock, Problem> {
    let mut fields = Fields::default();
    let AddLockRequest { selector: wanted, mode, scopes, message, ends_at, reason } = wire;
    let user: Option<UserRef> = fields.parse("user", wanted.user.as_deref(), word);
    let selector = LockSelector {
        user: None,
        ids: fields.ids(wanted.ids.as_deref()),
        scope: fields.parse("scope", wanted.scope.as_deref(), |text| {
            catalogue.parse_scope(text).map_err(|error| error.to_string())
        }),
        name_prefix: wanted.name_prefix.map(|prefix| prefix.to_lowercase()).filter(|prefix| !prefix.is_empty()),
    };
    let chosen = wanted.user.is_some() || wanted.ids.is_some() || wanted.scope.is_some();
    if !chosen && selector.name_prefix.is_none() && wanted.everything != Some(true) {
        fields.wrong.push(("selector", "the selector has no condition; give one, or \"everything\": true".to_owned()));
    }
    let mode = fields.parse("mode", Some(&mode), |text| match (text, scopes) {
        ("deny", None) => Ok(LockMode::Deny),
        ("deny", Some(_)) => Err("the mode deny has no scopes; leave scopes out, or use the mode limit".to_owned()),
        ("limit", Some(scopes)) => limited(&scopes, catalogue).map(LockMode::Limit),
        ("limit", None) => Err("the mode limit needs scopes".to_owned()),
        _ => Err(format!("unknown mode \"{text}\": want deny or limit")),
    });
    let note = fields.parse("message", Some(&message), |text| EndNote::new(text).map_err(|error| error.to_string()));
    if note == Some(None) {
        fields.wrong.push(("message", "a message is required: callers with a locked key are shown it".to_owned()));
    }
    if ends_at.is_some_and(|end| end <= now) {
        fields.wrong.push(("ends_at", "ends_at is over already".to_owned()));
    }
    let reason = fields.parse("reason", reason.as_deref(), word);
    fields.end()?;
    let (Some(mode), Some(Some(message))) = (mode, note) else {
        return Err(Problem::bad_request("The lock cannot be read."));
    };
    Ok(NewLock { selector, user, mode, message: message.as_str().to_owned(), reason, ends_at })
}

fn limited(scopes: &[String], catalogue: &Catalogue) -> Result<Scopes, String> {
    if scopes.is_empty() {
        return Err("scopes is empty; use the mode deny to leave nothing".to_owned());
    }
    catalogue.parse_scopes(scopes.iter().map(String::as_str)).map_err(|error| error.to_string())
}
