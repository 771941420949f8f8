//! The catalogue: the scopes that may be requested, their descriptions, and the parts of composites.
//!
//! The catalogue is data. The built-in one is `catalogue.toml` next to this file; a server can load
//! another file.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Deserialize;

use super::{Scope, Scopes, is_word};

/// Resources with their actions, composites, and aliases.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    resources: HashSet<String>,
    /// Scopes by canonical name and by alias.
    names: HashMap<String, Scope>,
    /// The parts of each composite.
    composites: HashMap<Scope, Vec<Scope>>,
    /// Sorted by name, without aliases.
    descriptions: Vec<ScopeDescription>,
}

/// A scope that may be requested, with a one-line description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeDescription {
    /// The scope's canonical name.
    pub name: String,
    /// What a key with this scope may do.
    pub description: String,
}

/// The catalogue has no scope of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid or unsupported API key scope: \"{name}\"")]
pub struct UnknownScope {
    /// The requested name.
    pub name: String,
    /// Similar names, nearest first; at most three.
    pub near: Vec<String>,
}

/// Why a catalogue file is invalid.
#[derive(Debug, thiserror::Error)]
pub enum InvalidCatalogue {
    /// The file is not TOML or does not have the fields of a catalogue.
    #[error(transparent)]
    Syntax(#[from] toml::de::Error),
    /// The name of a resource or action cannot be part of a scope.
    #[error("\"{0}\" cannot name a resource or action: want lower-case letters, digits, _, . and -, a letter first")]
    Word(String),
    /// The name or a part of a composite, or an alias's target, does not have the form of a scope.
    #[error(transparent)]
    Scope(#[from] super::InvalidScope),
    /// A composite or alias refers to an unknown scope.
    #[error("\"{name}\" refers to \"{target}\", which no resource of this catalogue defines")]
    Dangling {
        /// The name of the composite or alias.
        name: String,
        /// The unknown scope.
        target: String,
    },
    /// A composite or alias has the name of a scope, or a composite's name has a wildcard.
    #[error(
        "\"{0}\" cannot be a composite or an alias: it has a wildcard or is the name of a scope; choose another name"
    )]
    Taken(String),
    /// The catalogue has no resources.
    #[error("the catalogue has no resources; add at least one as [resources.NAME]")]
    Empty,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    resources: BTreeMap<String, FileResource>,
    #[serde(default)]
    composites: BTreeMap<String, FileComposite>,
    #[serde(default)]
    aliases: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileResource {
    description: String,
    actions: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileComposite {
    description: String,
    scopes: Vec<String>,
}

impl Catalogue {
    /// The built-in catalogue.
    #[must_use]
    #[expect(clippy::expect_used, reason = "the file is part of the program, and a test reads it")]
    pub fn built_in() -> Self {
        Self::from_toml(include_str!("catalogue.toml")).expect("the built-in catalogue is valid")
    }

    /// Parses a catalogue file.
    ///
    /// # Errors
    /// [`InvalidCatalogue`] names the invalid entry.
    pub fn from_toml(text: &str) -> Result<Self, InvalidCatalogue> {
        let file: File = toml::from_str(text)?;
        if file.resources.is_empty() {
            return Err(InvalidCatalogue::Empty);
        }
        let mut catalogue = Self::default();
        catalogue.add(Scope::all(), "Everything the user may do.".to_owned());
        for (name, resource) in file.resources {
            let words = std::iter::once(&name).chain(resource.actions.keys());
            if let Some(bad) = words.into_iter().find(|word| !is_word(word)) {
                return Err(InvalidCatalogue::Word(bad.clone()));
            }
            catalogue.add(Scope::new(&name, "*"), resource.description);
            for (action, description) in resource.actions {
                catalogue.add(Scope::new(&name, &action), description);
            }
            catalogue.resources.insert(name);
        }
        // Composites and aliases may refer to plain scopes only, so none is added before all are read.
        let (mut composites, mut aliases) = (Vec::new(), Vec::new());
        for (name, composite) in file.composites {
            let parts = composite.scopes.iter().map(|part| catalogue.target(&name, part)).collect::<Result<_, _>>()?;
            let scope: Scope = name.parse()?;
            if &*scope.action == "*" || catalogue.names.contains_key(&name) {
                return Err(InvalidCatalogue::Taken(name));
            }
            composites.push((scope, composite.description, parts));
        }
        for (name, target) in file.aliases {
            let target = catalogue.target(&name, &target)?;
            aliases.push((name, target));
        }
        for (scope, description, parts) in composites {
            catalogue.add(scope.clone(), description);
            catalogue.composites.insert(scope, parts);
        }
        for (name, scope) in aliases {
            if catalogue.names.contains_key(&name) {
                return Err(InvalidCatalogue::Taken(name));
            }
            catalogue.names.insert(name, scope);
        }
        catalogue.descriptions.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(catalogue)
    }

    fn add(&mut self, scope: Scope, description: String) {
        self.descriptions.push(ScopeDescription { name: scope.to_string(), description });
        self.names.insert(scope.to_string(), scope);
    }

    fn target(&self, name: &str, target: &str) -> Result<Scope, InvalidCatalogue> {
        let scope: Scope = target.parse()?;
        if self.names.contains_key(target) {
            Ok(scope)
        } else {
            Err(InvalidCatalogue::Dangling { name: name.to_owned(), target: target.to_owned() })
        }
    }

    /// Whether the catalogue has this resource type.
    #[must_use]
    pub fn has_resource(&self, name: &str) -> bool {
        self.resources.contains(name)
    }

    /// Parses a scope's name or alias to the canonical scope.
    ///
    /// # Errors
    /// [`UnknownScope`] with similar names.
    pub fn parse_scope(&self, text: &str) -> Result<Scope, UnknownScope> {
        let known = self.names.get(text).cloned();
        known.ok_or_else(|| UnknownScope { name: text.to_owned(), near: self.near(text) })
    }

    /// Parses a list of scopes; an empty list gives `*:*`.
    ///
    /// # Errors
    /// [`UnknownScope`] for the first scope that is not in the catalogue.
    pub fn parse_scopes<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> Result<Scopes, UnknownScope> {
        let scopes = texts.into_iter().map(|text| self.parse_scope(text)).collect::<Result<Vec<_>, _>>()?;
        Ok(Scopes::new(scopes).unwrap_or_else(Scopes::all))
    }

    /// Whether the held scopes, with composites resolved, include `needed`.
    #[must_use]
    pub fn grants(&self, held: &Scopes, needed: &Scope) -> bool {
        self.any_part(held, |scope| scope.covers(needed))
    }

    /// Like [`Self::grants`], for a plain scope by name: `resource:action`.
    #[must_use]
    pub fn grants_named(&self, held: &Scopes, needed: &str) -> bool {
        needed
            .split_once(':')
            .is_some_and(|(resource, action)| self.any_part(held, |scope| scope.covers_words(resource, action)))
    }

    /// Whether `covers` holds for a held scope or for a part of a held composite. A composite itself
    /// covers only its own name.
    fn any_part(&self, held: &Scopes, covers: impl Fn(&Scope) -> bool) -> bool {
        held.iter().any(&covers) || held.iter().filter_map(|scope| self.composites.get(scope)).flatten().any(&covers)
    }

    /// The held scopes and the parts of held composites, without duplicates. The result shows what they
    /// grant without the catalogue.
    #[must_use]
    pub fn expand(&self, held: &Scopes) -> Scopes {
        let parts = held.iter().filter_map(|scope| self.composites.get(scope)).flatten();
        // `held` is never empty, so the fallback is never used.
        Scopes::new(held.iter().chain(parts).cloned()).unwrap_or_else(|| held.clone())
    }

    /// The plain scopes that the held scopes stand for; none if no composite is held.
    #[must_use]
    pub fn resolve(&self, held: &Scopes) -> Option<Scopes> {
        if !held.iter().any(|scope| self.composites.contains_key(scope)) {
            return None;
        }
        let plain = held.iter().flat_map(|scope| match self.composites.get(scope) {
            Some(parts) => parts.clone(),
            None => vec![scope.clone()],
        });
        Scopes::new(plain)
    }

    /// The first wanted scope that the held scopes do not include. A composite is included if all its
    /// parts are.
    #[must_use]
    pub fn first_missing<'a>(&self, held: &Scopes, wanted: &'a Scopes) -> Option<&'a Scope> {
        wanted.iter().find(|&scope| {
            !self.grants(held, scope)
                && self.composites.get(scope).is_none_or(|parts| !parts.iter().all(|part| self.grants(held, part)))
        })
    }

    /// Every scope that may be requested, without aliases, sorted by name.
    #[must_use]
    pub fn describe(&self) -> &[ScopeDescription] {
        &self.descriptions
    }

    /// Up to three known names, nearest first. The edit distance is at most a third of the text's
    /// length, or 2 if that is more.
    fn near(&self, text: &str) -> Vec<String> {
        let limit = (text.chars().count() / 3).max(2);
        let mut names: Vec<(usize, String)> = self
            .names
            .keys()
            .map(|name| (strsim::damerau_levenshtein(text, name), name.clone()))
            .filter(|(distance, _)| *distance <= limit)
            .collect();
        names.sort();
        names.into_iter().map(|(_, name)| name).take(3).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(names: &[&str]) -> Scopes {
        Catalogue::built_in().parse_scopes(names.iter().copied()).unwrap()
    }

    #[test]
    fn the_built_in_catalogue_is_valid_and_complete() {
        let catalogue = Catalogue::from_toml(include_str!("catalogue.toml")).unwrap();
        for name in
            ["*:*", "api_key:verify", "audit_log:read", "workspace:application_connect", "coder:workspaces.create"]
        {
            assert!(catalogue.describe().iter().any(|scope| scope.name == name), "{name}");
        }
        assert!(catalogue.describe().iter().all(|scope| !scope.description.is_empty()));
    }

    #[test]
    fn aliases_become_canonical_and_duplicates_are_dropped() {
        assert_eq!(parse(&["all", "coder:all", "*:*"]).to_strings(), ["*:*"]);
        assert_eq!(parse(&["application_connect"]).to_strings(), ["workspace:application_connect"]);
        assert_eq!(
            parse(&["workspace:read", "api_key:read", "workspace:read"]).to_strings(),
            ["workspace:read", "api_key:read"]
        );
    }

    #[test]
    fn the_error_for_an_unknown_scope_suggests_similar_names() {
        let error = Catalogue::built_in().parse_scope("workspace:raed").unwrap_err();
        assert_eq!(error.to_string(), "invalid or unsupported API key scope: \"workspace:raed\"");
        assert_eq!(error.near.first().map(String::as_str), Some("workspace:read"));
        for text in ["foo:bar", "workspace:fly", "*:read", "", "foo:*"] {
            assert!(Catalogue::built_in().parse_scope(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_composite_grants_its_parts() {
        let catalogue = Catalogue::built_in();
        let held = parse(&["coder:workspaces.access"]);
        assert!(catalogue.grants(&held, &"workspace:ssh".parse().unwrap()));
        assert!(!catalogue.grants(&held, &"workspace:delete".parse().unwrap()));
        assert_eq!(catalogue.first_missing(&parse(&["workspace:*", "template:*"]), &held), None);
        assert_eq!(
            catalogue.first_missing(&held, &parse(&["workspace:ssh", "workspace:*"])).unwrap().to_string(),
            "workspace:*"
        );
    }

    #[test]
    fn the_error_for_an_invalid_catalogue_names_the_entry() {
        for (text, message) in [
            ("", "no resources"),
            ("[resources.Bad]\ndescription = \"x\"\nactions = {}", "\"Bad\""),
            ("[resources.a]\ndescription = \"x\"\nactions = {b = \"y\"}\n[aliases]\nq = \"a:c\"", "refers to \"a:c\""),
            (
                "[resources.a]\ndescription = \"x\"\nactions = {}\n[composites.\"c:d\"]\ndescription=\"\"\nscopes=[\"a\"]",
                "\"a\" is not a scope",
            ),
            (
                "[resources.a]\ndescription = \"x\"\nactions = {}\n[composites.\"a:*\"]\ndescription=\"\"\nscopes=[\"a:*\"]",
                "\"a:*\" cannot be a composite",
            ),
            (
                "[resources.a]\ndescription = \"x\"\nactions = {b = \"y\"}\n[aliases]\n\"a:b\" = \"*:*\"",
                "\"a:b\" cannot be a composite or an alias",
            ),
        ] {
            let error = Catalogue::from_toml(text).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
