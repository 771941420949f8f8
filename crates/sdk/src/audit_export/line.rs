//! Reads one line of an export and hashes its entry. Lines do not depend on each other here, so that several
//! threads can read them.

use std::collections::HashSet;
use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use keyward_api::audit::AuditTree;
use keyward_transparency::{Hash, canonical_json, leaf_hash};
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

/// The event of the record that retention leaves.
const RETIRED: &str = "audit_log.retired";

/// The first line.
#[derive(Serialize, Deserialize)]
pub(super) struct TreeLine {
    pub(super) tree: AuditTree,
}

/// The last line.
#[derive(Serialize, Deserialize)]
pub(super) struct EndLine {
    pub(super) end: End,
}

/// What the last line says about the lines before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct End {
    pub(super) leaves: u64,
    pub(super) unsealed: u64,
    /// Whether the server may have more unsealed entries than it listed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_cut: bool,
}

/// An [`AuditLeaf`](keyward_api::audit::AuditLeaf) in its text. Its hash and salt need no escapes.
#[derive(Deserialize)]
struct LeafLine<'a> {
    index: Option<u64>,
    #[serde(borrow)]
    id: std::borrow::Cow<'a, str>,
    hash: Option<&'a str>,
    salt: Option<&'a str>,
    #[serde(borrow)]
    entry: Option<&'a RawValue>,
    unreadable: Option<String>,
    is_waiting: Option<bool>,
}

/// The fields of an entry that are looked at.
#[derive(Deserialize)]
struct EntryHead<'a> {
    #[serde(borrow)]
    id: std::borrow::Cow<'a, str>,
    #[serde(borrow, default)]
    event: std::borrow::Cow<'a, str>,
}

/// The record that retention leaves.
#[derive(Deserialize)]
struct RetiredEntry {
    additional_fields: Removal,
}

/// What retention has removed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Removal {
    /// The number of entries that this run has removed.
    pub(super) count: u64,
    /// All leaves whose entries this and earlier runs have removed: the first and the last of each range.
    pub(super) leaves: Vec<(u64, u64)>,
}

/// A line.
#[derive(Debug)]
pub(super) enum Line {
    Blank,
    Tree(Box<AuditTree>),
    Leaf(Leaf),
    End(End),
    Malformed(String),
}

/// A leaf, or an entry outside of the tree.
#[derive(Debug)]
pub(super) struct Leaf {
    pub(super) index: Option<u64>,
    pub(super) id: EntryId,
    pub(super) hash: Option<Hash>,
    pub(super) content: Content,
    pub(super) is_waiting: Option<bool>,
    /// What the entry says that retention has removed.
    pub(super) removal: Option<Removal>,
}

/// The entry of a leaf.
#[derive(Debug)]
pub(super) enum Content {
    /// The log does not have it.
    Missing,
    /// The server cannot read its row.
    Unreadable(String),
    /// It has the hash of its leaf; outside of the tree, there is nothing to compare it with.
    Intact,
    /// It has another hash.
    Changed,
    /// It has the hash of its leaf, and another id.
    OtherId(String),
}

/// The id of an entry. Someone may have changed it into one that is no UUID.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum EntryId {
    Uuid(Uuid),
    Other(Box<str>),
}

impl EntryId {
    fn of(text: &str) -> Self {
        let is_canonical = text.len() == 36 && !text.bytes().any(|byte| byte.is_ascii_uppercase());
        match Uuid::try_parse(text) {
            Ok(id) if is_canonical => Self::Uuid(id),
            Ok(_) | Err(_) => Self::Other(text.into()),
        }
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uuid(id) => id.fmt(f),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl Line {
    pub(super) fn read(line: &[u8]) -> Self {
        match serde_json::from_slice::<LeafLine<'_>>(line) {
            Ok(leaf) => Self::leaf(&leaf).unwrap_or_else(Self::Malformed),
            Err(_) if line.trim_ascii().is_empty() => Self::Blank,
            Err(error) => {
                if let Ok(TreeLine { tree }) = serde_json::from_slice(line) {
                    return Self::Tree(Box::new(tree));
                }
                match serde_json::from_slice(line) {
                    Ok(EndLine { end }) => Self::End(end),
                    Err(_) => Self::Malformed(error.to_string()),
                }
            }
        }
    }

    fn leaf(line: &LeafLine<'_>) -> Result<Self, String> {
        let hash = line.hash.map(str::parse::<Hash>).transpose().map_err(|error| error.to_string())?;
        let salt = BASE64_STANDARD.decode(line.salt.unwrap_or_default());
        let salt = salt.map_err(|error| format!("the salt is not base64: {error}"))?;
        let (content, removal) = match (&line.unreadable, line.entry) {
            (Some(reason), _) => (Content::Unreadable(reason.clone()), None),
            (None, None) => (Content::Missing, None),
            (None, Some(entry)) => content(&salt, hash, &line.id, entry.get()),
        };
        let id = EntryId::of(&line.id);
        Ok(Self::Leaf(Leaf { index: line.index, id, hash, content, is_waiting: line.is_waiting, removal }))
    }
}

fn content(salt: &[u8], hash: Option<Hash>, id: &str, json: &str) -> (Content, Option<Removal>) {
    // An export has canonical JSON. Another program may have written it anew.
    let has_hash = |hash| leaf_hash(salt, json.as_bytes()) == hash || has_hash_as_canonical(salt, json, hash);
    if hash.is_some_and(|hash| !has_hash(hash)) {
        return (Content::Changed, None);
    }
    match serde_json::from_str::<EntryHead<'_>>(json) {
        Ok(head) if head.id != id => (Content::OtherId(head.id.into_owned()), None),
        Ok(head) if head.event == RETIRED => {
            (Content::Intact, serde_json::from_str(json).ok().map(|entry: RetiredEntry| entry.additional_fields))
        }
        Ok(_) => (Content::Intact, None),
        Err(error) => (Content::Unreadable(error.to_string()), None),
    }
}

fn has_hash_as_canonical(salt: &[u8], json: &str, hash: Hash) -> bool {
    let is_unambiguous = serde_json::from_str::<UniqueNames>(json).is_ok();
    let value = serde_json::from_str::<Value>(json).ok().filter(|_| is_unambiguous);
    let canonical = value.and_then(|value| canonical_json(&value).ok());
    canonical.is_some_and(|json| leaf_hash(salt, json.as_bytes()) == hash)
}

/// JSON without an object that has a name twice. Of two values, programs read different ones, so that someone
/// could show one and have the other hashed.
struct UniqueNames;

impl<'de> Deserialize<'de> for UniqueNames {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for UniqueNames {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        let mut names = HashSet::new();
        while let Some((name, Self)) = map.next_entry::<String, Self>()? {
            if !names.insert(name) {
                return Err(A::Error::custom("an object has a name twice"));
            }
        }
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(entry: &str, hash: Hash) -> Line {
        Line::read(format!(r#"{{"entry":{entry},"hash":"{hash}","id":"a","index":0,"salt":""}}"#).as_bytes())
    }

    #[test]
    fn an_entry_may_be_written_anew_but_not_ambiguously() {
        let hash = leaf_hash(&[], br#"{"a":1,"id":"a"}"#);
        let is_intact = |entry: &str| matches!(line(entry, hash), Line::Leaf(Leaf { content: Content::Intact, .. }));
        assert!(is_intact(r#"{"a":1,"id":"a"}"#));
        assert!(is_intact(r#"{ "id": "a", "a": 1.0 }"#));
        assert!(!is_intact(r#"{"a":2,"a":1,"id":"a"}"#));
        assert!(!is_intact(r#"{"a":2,"id":"a"}"#));
    }

    #[test]
    fn an_entry_with_another_id_is_told_from_a_changed_one() {
        let hash = leaf_hash(&[], br#"{"id":"b"}"#);
        assert!(
            matches!(line(r#"{"id":"b"}"#, hash), Line::Leaf(Leaf { content: Content::OtherId(id), .. }) if id == "b")
        );
    }
}
