//! Allow lists: the resources a key may act on, as `type:id`, `type:*` or `*:*`.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

#[cfg(feature = "catalogue")]
use crate::scope::Catalogue;

/// Maximum number of entries in a request.
pub const MAX_ENTRIES: usize = 128;

/// Maximum length of an entry's id, in characters.
const MAX_ID: usize = 128;

/// One entry of an allow list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Entry {
    /// `*:*`
    Everything,
    /// `type:*`
    AllOf(String),
    /// `type:id`
    One(String, String),
}

impl Entry {
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Everything, _) => true,
            (Self::AllOf(held), Self::AllOf(wanted) | Self::One(wanted, _)) => held == wanted,
            (held, wanted) => held == wanted,
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => f.write_str("*:*"),
            Self::AllOf(kind) => write!(f, "{kind}:*"),
            Self::One(kind, id) => write!(f, "{kind}:{id}"),
        }
    }
}

/// The allow list of a key: never empty, without entries that another entry covers, sorted by text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AllowList(Vec<Entry>);

/// Why a list of texts is not an allow list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAllowList {
    /// A text does not have the form of an entry.
    #[error("invalid allow_list entry \"{0}\": want <type>:<id>")]
    Entry(String),
    /// The catalogue does not have this resource type.
    #[error("unknown resource type \"{0}\"")]
    UnknownType(String),
    /// The list has too many entries.
    #[error("allow_list has {0} entries; want at most {MAX_ENTRIES}")]
    TooMany(usize),
}

impl AllowList {
    /// `*:*` alone.
    #[must_use]
    pub fn all() -> Self {
        Self(vec![Entry::Everything])
    }

    /// Parses and normalises a request's entries; an empty list gives `*:*`.
    ///
    /// # Errors
    /// [`InvalidAllowList`] for the first invalid entry, or if there are too many.
    #[cfg(feature = "catalogue")]
    pub fn parse<'a>(
        texts: impl IntoIterator<Item = &'a str>,
        catalogue: &Catalogue,
    ) -> Result<Self, InvalidAllowList> {
        let texts: Vec<&str> = texts.into_iter().collect();
        if texts.len() > MAX_ENTRIES {
            return Err(InvalidAllowList::TooMany(texts.len()));
        }
        let entries = texts.into_iter().map(|text| parse_known(text, catalogue)).collect::<Result<_, _>>()?;
        Ok(Self::normalised(entries))
    }

    /// Parses a stored list. Its types may be missing from today's catalogue.
    ///
    /// # Errors
    /// [`InvalidAllowList`] if a text does not have the form of an entry.
    pub fn from_stored<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidAllowList> {
        let entries = texts.into_iter().map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self::normalised(entries))
    }

    fn normalised(entries: Vec<Entry>) -> Self {
        let unique: BTreeSet<&Entry> = entries.iter().collect();
        let mut kept: Vec<Entry> = unique
            .iter()
            .filter(|entry| !unique.iter().any(|other| other != *entry && other.covers(entry)))
            .map(|&entry| entry.clone())
            .collect();
        if kept.is_empty() {
            return Self::all();
        }
        kept.sort_by_key(Entry::to_string);
        Self(kept)
    }

    /// Whether the key may act on the resource `kind:id`.
    #[must_use]
    pub fn permits(&self, kind: &str, id: &str) -> bool {
        self.0.iter().any(|entry| match entry {
            Entry::Everything => true,
            Entry::AllOf(held) => held == kind,
            Entry::One(held, one) => held == kind && one == id,
        })
    }

    /// Whether the key may act on every resource of this type, as lists and creates require.
    #[must_use]
    pub fn permits_all_of(&self, kind: &str) -> bool {
        self.0.iter().any(|entry| match entry {
            Entry::Everything => true,
            Entry::AllOf(held) => held == kind,
            Entry::One(..) => false,
        })
    }

    /// Whether the key may act on this resource.
    #[must_use]
    pub fn permits_resource(&self, resource: &Resource) -> bool {
        self.covers(&resource.0)
    }

    /// Whether an entry of this list covers `wanted`.
    pub(crate) fn covers(&self, wanted: &Entry) -> bool {
        self.0.iter().any(|held| held.covers(wanted))
    }

    /// The first entry of `wanted` that this list does not cover.
    #[must_use]
    pub fn first_outside<'a>(&self, wanted: &'a Self) -> Option<&'a Entry> {
        wanted.0.iter().find(|entry| !self.covers(entry))
    }

    /// The entries as text, sorted.
    #[must_use]
    pub fn to_strings(&self) -> Vec<String> {
        self.0.iter().map(Entry::to_string).collect()
    }
}

/// The resource that a key is used on: `type:id`, or `type:*` for all of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource(Entry);

impl Resource {
    /// The resource type.
    #[must_use]
    pub fn kind(&self) -> &str {
        match &self.0 {
            Entry::Everything => "*",
            Entry::AllOf(kind) | Entry::One(kind, _) => kind,
        }
    }
}

impl FromStr for Resource {
    type Err = InvalidAllowList;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match Entry::from_str(text)? {
            Entry::Everything => Err(InvalidAllowList::Entry(text.to_owned())),
            entry => Ok(Self(entry)),
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Entry {
    type Err = InvalidAllowList;

    /// Parses an entry of any type. Callers check the type against the catalogue.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidAllowList::Entry(text.to_owned());
        let (kind, id) = text.split_once(':').ok_or_else(invalid)?;
        if (kind, id) == ("*", "*") {
            return Ok(Self::Everything);
        }
        if !crate::scope::is_word(kind) {
            return Err(invalid());
        }
        if id == "*" {
            return Ok(Self::AllOf(kind.to_owned()));
        }
        let good = (1..=MAX_ID).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'~' | b'-'));
        if good { Ok(Self::One(kind.to_owned(), id.to_owned())) } else { Err(invalid()) }
    }
}

/// Parses an entry whose type must be in the catalogue.
#[cfg(feature = "catalogue")]
fn parse_known(text: &str, catalogue: &Catalogue) -> Result<Entry, InvalidAllowList> {
    let entry: Entry = text.parse()?;
    match &entry {
        Entry::AllOf(kind) | Entry::One(kind, _) if !catalogue.has_resource(kind) => {
            Err(InvalidAllowList::UnknownType(kind.clone()))
        }
        Entry::Everything | Entry::AllOf(_) | Entry::One(..) => Ok(entry),
    }
}

#[cfg(all(test, feature = "catalogue"))]
mod tests {
    use super::*;

    #[test]
    fn invalid_resources_are_refused() {
        for text in ["", "workspace", "*:*", "workspace:a b", ":x"] {
            assert!(text.parse::<Resource>().is_err(), "{text}");
        }
    }

    fn parse(texts: &[&str]) -> Result<Vec<String>, String> {
        AllowList::parse(texts.iter().copied(), &Catalogue::built_in())
            .map(|list| list.to_strings())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn lists_are_normalised() {
        assert_eq!(parse(&[]).unwrap(), ["*:*"]);
        assert_eq!(parse(&["workspace:b", "*:*", "template:*"]).unwrap(), ["*:*"]);
        assert_eq!(
            parse(&["workspace:b", "template:t1", "workspace:a", "workspace:b", "template:*"]).unwrap(),
            ["template:*", "workspace:a", "workspace:b"]
        );
    }

    #[test]
    fn bad_entries_are_quoted() {
        assert_eq!(parse(&["badvalue"]).unwrap_err(), "invalid allow_list entry \"badvalue\": want <type>:<id>");
        assert_eq!(parse(&["foo:1"]).unwrap_err(), "unknown resource type \"foo\"");
        for text in [
            "*:x",
            "workspace:",
            ":x",
            "workspace:a b",
            "workspace:a:b",
            "Workspace:a",
            &format!("workspace:{}", "a".repeat(129)),
        ] {
            assert!(parse(&[text]).is_err(), "{text}");
        }
        assert!(parse(&vec!["workspace:a"; 129]).is_err());
        assert!(parse(&vec!["workspace:a"; 128]).is_ok());
    }

    #[test]
    fn a_list_permits_what_it_names() {
        let list = AllowList::parse(["api_key:*", "user:u1"], &Catalogue::built_in()).unwrap();
        assert!(list.permits("api_key", "x") && list.permits_all_of("api_key"));
        assert!(list.permits("user", "u1") && !list.permits("user", "u2") && !list.permits_all_of("user"));
        assert!(!list.permits("workspace", "w"));
    }
}
