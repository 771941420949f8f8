//! Audit log search queries: `action:write username:alice date_from:2026-01-01T00:00:00Z`.

use std::net::IpAddr;

use uuid::Uuid;

use super::Action;
use crate::access::ResourceKind;
use crate::clock::Timestamp;
use crate::event::EventKind;

/// Conditions on entries. All must match; a field that is none matches every entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The resource type: `api_key`, `user` or `audit_log`.
    pub resource_type: Option<ResourceKind>,
    /// The id of the resource.
    pub resource_id: Option<String>,
    /// The name of the resource.
    pub resource_target: Option<String>,
    /// The action.
    pub action: Option<Action>,
    /// The actor's username at the time.
    pub username: Option<String>,
    /// The actor's e-mail address at the time.
    pub email: Option<String>,
    /// The client's address in canonical form.
    pub ip: Option<String>,
    /// The earliest time, inclusive.
    pub date_from: Option<Timestamp>,
    /// The latest time, inclusive.
    pub date_to: Option<Timestamp>,
    /// The id of the request.
    pub request_id: Option<Uuid>,
    /// The id of the key that acted.
    pub key_id: Option<String>,
    /// The event.
    pub event: Option<EventKind>,
    /// The id of the incident.
    pub incident: Option<Uuid>,
}

/// An invalid term of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidTerm {
    /// The term's key; `q` if the whole query is malformed.
    pub field: String,
    /// What is wrong with the term.
    pub detail: String,
}

const KEYS: &str = "resource_type, resource_id, resource_target, action, event, username, email, key_id, ip, date_from, \
                    date_to, request_id and incident";

impl Filter {
    /// Parses space-separated `key:value` terms. A term is split at its first `:`. Values with spaces
    /// or further colons must be quoted, except for dates and addresses. A term without a key is a
    /// `resource_type`.
    ///
    /// # Errors
    /// Every [`InvalidTerm`] of the query.
    pub fn parse(text: &str) -> Result<Self, Vec<InvalidTerm>> {
        let mut filter = Self::default();
        let mut wrong = Vec::new();
        match terms(text) {
            Ok(terms) => wrong.extend(terms.into_iter().filter_map(|term| filter.add(term).err())),
            Err(term) => wrong.push(term),
        }
        if wrong.is_empty() { Ok(filter) } else { Err(wrong) }
    }

    fn add(&mut self, term: Term) -> Result<(), InvalidTerm> {
        let Term { key, value } = term;
        let invalid = |detail: String| InvalidTerm { field: key.clone(), detail };
        if value.is_empty() {
            return Err(invalid(format!("\"{key}:\" has no value")));
        }
        // No entry contains control characters, and PostgreSQL rejects NUL in text.
        if value.chars().any(char::is_control) {
            return Err(invalid(format!("\"{key}:\" has a value with control characters")));
        }
        let twice = match key.as_str() {
            "resource_type" => {
                let kind = value.to_lowercase().parse().map_err(|error| invalid(format!("{error}")))?;
                self.resource_type.replace(kind).is_some()
            }
            "resource_id" => self.resource_id.replace(value).is_some(),
            "resource_target" => self.resource_target.replace(value).is_some(),
            "username" => self.username.replace(value).is_some(),
            "email" => self.email.replace(value).is_some(),
            "action" => {
                let action = value.to_lowercase().parse().map_err(|error| invalid(format!("{error}")))?;
                self.action.replace(action).is_some()
            }
            "ip" => {
                let ip: IpAddr =
                    value.parse().map_err(|_malformed| invalid(format!("\"{value}\" is not an IP address")))?;
                self.ip.replace(ip.to_string()).is_some()
            }
            "date_from" => self.date_from.replace(date(&value, "T00:00:00Z").map_err(invalid)?).is_some(),
            "date_to" => self.date_to.replace(date(&value, "T23:59:59.999999Z").map_err(invalid)?).is_some(),
            "request_id" => self.request_id.replace(uuid(&value).map_err(invalid)?).is_some(),
            "incident" => self.incident.replace(uuid(&value).map_err(invalid)?).is_some(),
            "key_id" => self.key_id.replace(value).is_some(),
            "event" => {
                let event = value.to_lowercase().parse().map_err(|error| invalid(format!("{error}")))?;
                self.event.replace(event).is_some()
            }
            _ => return Err(invalid(format!("unknown key \"{key}\"; the keys are {KEYS}"))),
        };
        if twice { Err(invalid(format!("\"{key}\" is given twice"))) } else { Ok(()) }
    }
}

fn uuid(text: &str) -> Result<Uuid, String> {
    Uuid::try_parse(text).map_err(|_malformed| format!("\"{text}\" is not a UUID"))
}

/// Parses an RFC 3339 time, or a date completed by `rest`.
fn date(text: &str, rest: &str) -> Result<Timestamp, String> {
    text.parse::<Timestamp>()
        .or_else(|error| format!("{text}{rest}").parse().map_err(|_malformed| error))
        .map_err(|error| format!("{error}, or a date such as 2026-01-31"))
}

struct Term {
    key: String,
    value: String,
}

/// Splits the text at spaces outside quotes, and each piece at its first colon outside quotes.
fn terms(text: &str) -> Result<Vec<Term>, InvalidTerm> {
    let mut terms = Vec::new();
    let mut piece = Piece::default();
    let mut quoted = false;
    // Times and addresses contain colons, so a second colon is an error only for other keys.
    for symbol in text.chars().chain(std::iter::once(' ')) {
        match symbol {
            '"' => {
                quoted = !quoted;
                piece.started = true;
            }
            ' ' if !quoted => terms.extend(std::mem::take(&mut piece).finish()?),
            ':' if !quoted && piece.key.is_none() => {
                piece.key = Some(std::mem::take(&mut piece.text));
                piece.started = true;
            }
            ':' if !quoted && !piece.holds_colons() => {
                let field = piece.key.unwrap_or_default();
                let detail = "a term may hold one \":\"; put a value that has more in quotes".to_owned();
                return Err(InvalidTerm { field, detail });
            }
            _ => {
                piece.text.push(symbol);
                piece.started = true;
            }
        }
    }
    if quoted {
        return Err(InvalidTerm { field: "q".to_owned(), detail: "a quote is not closed".to_owned() });
    }
    Ok(terms)
}

#[derive(Default)]
struct Piece {
    key: Option<String>,
    text: String,
    started: bool,
}

impl Piece {
    fn holds_colons(&self) -> bool {
        matches!(self.key.as_deref(), Some("date_from" | "date_to" | "ip"))
    }

    fn finish(self) -> Result<Option<Term>, InvalidTerm> {
        if !self.started {
            return Ok(None);
        }
        let term = match self.key {
            Some(key) => Term { key: key.to_lowercase(), value: self.text },
            None => Term { key: "resource_type".to_owned(), value: self.text },
        };
        Ok(Some(term))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_read() {
        let text = "action:write username:alice resource_target:\"my token\" date_from:2026-01-01 \
                    date_to:2026-01-31T12:00:00Z ip:::1";
        let filter = Filter::parse(text).unwrap();
        assert_eq!(filter.action, Some(Action::Write));
        assert_eq!(filter.username.as_deref(), Some("alice"));
        assert_eq!(filter.resource_target.as_deref(), Some("my token"));
        assert_eq!(filter.date_from.unwrap().to_string(), "2026-01-01T00:00:00Z");
        assert_eq!(filter.date_to.unwrap().to_string(), "2026-01-31T12:00:00Z");
        assert_eq!(filter.ip.as_deref(), Some("::1"));
        assert_eq!(Filter::parse("api_key").unwrap().resource_type, Some(ResourceKind::ApiKey));
        assert_eq!(Filter::parse("  "), Ok(Filter::default()));
        assert_eq!(Filter::parse("resource_target:\"a:b\"").unwrap().resource_target.as_deref(), Some("a:b"));
    }

    #[test]
    fn an_invalid_term_is_reported_under_its_key() {
        for (text, field) in [
            ("colour:red", "colour"),
            ("action:fly", "action"),
            ("nonsense", "resource_type"),
            ("ip:nowhere", "ip"),
            ("date_from:yesterday", "date_from"),
            ("request_id:7", "request_id"),
            ("resource_target:a:b", "resource_target"),
            ("username:", "username"),
            ("resource_target:a\u{0}b", "resource_target"),
            ("action:write action:create", "action"),
            ("resource_target:\"open", "q"),
        ] {
            let wrong = Filter::parse(text).unwrap_err();
            assert_eq!(wrong.first().unwrap().field, field, "{text}: {wrong:?}");
        }
    }
}
