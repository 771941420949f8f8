//! Scopes: `resource:action`, with wildcards, and the catalogue of existing scopes.

#[cfg(feature = "catalogue")]
mod catalogue;

#[cfg(feature = "catalogue")]
pub use catalogue::{Catalogue, InvalidCatalogue, ScopeDescription, UnknownScope};

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// One scope: `resource:action`, `resource:*`, or `*:*`.
///
/// A composite (`coder:workspaces.create`) has the same form; the [`Catalogue`] has its parts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    // Shared, because many keys hold the same few scopes and each verification compares them.
    resource: Arc<str>,
    action: Arc<str>,
}

/// The text does not have the form of a scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a scope: want resource:action, resource:* or *:*, in lower case")]
pub struct InvalidScope(String);

impl Scope {
    /// `*:*`.
    #[must_use]
    pub fn all() -> Self {
        Self::new("*", "*")
    }

    /// Builds a scope from two words that are already checked.
    fn new(resource: &str, action: &str) -> Self {
        Self { resource: resource.into(), action: action.into() }
    }

    /// Whether this scope includes `needed`. Composites are not resolved here; see
    /// [`Catalogue::grants`].
    #[must_use]
    pub fn covers(&self, needed: &Self) -> bool {
        self.covers_words(&needed.resource, &needed.action)
    }

    fn covers_words(&self, resource: &str, action: &str) -> bool {
        let word = |held: &str, needed| held == "*" || held == needed;
        word(&self.resource, resource) && word(&self.action, action)
    }
}

impl FromStr for Scope {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("*", "*")) => Ok(Self::all()),
            Some((resource, action)) if is_word(resource) && (action == "*" || is_word(action)) => {
                Ok(Self::new(resource, action))
            }
            _ => Err(InvalidScope(text.to_owned())),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.resource, self.action)
    }
}

/// Whether the text matches `[a-z][a-z0-9_.-]*`.
pub(crate) fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'.' | b'-'))
}

/// The scopes of a key: without duplicates, in the requested order. A key is created with at least one; a
/// lock may leave it none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// `*:*` alone.
    #[must_use]
    pub fn all() -> Self {
        Self(vec![Scope::all()])
    }

    /// No scope at all, as a lock may leave a key.
    #[must_use]
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// What this list and the other both grant, which may be nothing. Composites are not resolved here.
    #[must_use]
    pub fn shared_with(&self, other: &Self) -> Self {
        let pairs = self.0.iter().flat_map(|one| other.0.iter().map(move |other| (one, other)));
        let shared = pairs.filter_map(|(one, other)| {
            let narrower = if one.covers(other) { other } else { one };
            (one.covers(other) || other.covers(one)).then(|| narrower.clone())
        });
        Self::new(shared).unwrap_or_else(Self::none)
    }

    /// Drops duplicates; none if the list is empty.
    #[must_use]
    pub fn new(scopes: impl IntoIterator<Item = Scope>) -> Option<Self> {
        let mut kept: Vec<Scope> = Vec::new();
        for scope in scopes {
            if !kept.contains(&scope) {
                kept.push(scope);
            }
        }
        (!kept.is_empty()).then_some(Self(kept))
    }

    /// The scopes, in the requested order.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }

    /// The scopes as text, in the requested order.
    #[must_use]
    pub fn to_strings(&self) -> Vec<String> {
        self.0.iter().map(Scope::to_string).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_covers_only_its_own_resource() {
        let covers = |held: &str, needed: &str| held.parse::<Scope>().unwrap().covers(&needed.parse().unwrap());
        for (held, needed, expected) in [
            ("*:*", "workspace:read", true),
            ("*:*", "*:*", true),
            ("workspace:*", "workspace:read", true),
            ("workspace:*", "workspace:*", true),
            ("workspace:*", "template:read", false),
            ("workspace:*", "*:*", false),
            ("workspace:read", "workspace:read", true),
            ("workspace:read", "workspace:*", false),
            ("workspace:read", "workspace:update", false),
        ] {
            assert_eq!(covers(held, needed), expected, "{held} covers {needed}");
        }
    }

    #[test]
    fn invalid_scopes_are_refused() {
        for text in ["", "workspace", "*", "*:read", "Workspace:read", "workspace:", ":read", "a:b:c", "a b:c", "1a:b"]
        {
            assert!(text.parse::<Scope>().is_err(), "{text}");
        }
    }
}
