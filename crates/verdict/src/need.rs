//! The scopes and resources that a use of a key needs.

use keyward_domain::Scope;
use keyward_domain::allow_list::Resource;

/// The rights that a use of a key needs: the key must have every scope, and its allow list must cover
/// every resource.
///
/// Build a need once and reuse it where possible: parsing the texts costs more than judging.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Need {
    scopes: Vec<Scope>,
    /// The first scope that could not be parsed. A need with an invalid scope allows nothing.
    unreadable_scope: Option<String>,
    resources: Vec<Resource>,
    /// The first resource that could not be parsed. Resources often come from a client's URL path, so
    /// this is not a programming error; no allow list covers such an id.
    unreadable_resource: Option<String>,
}

impl Need {
    /// A need for all of these scopes and resources.
    #[must_use]
    pub fn new(scopes: Vec<Scope>, resources: Vec<Resource>) -> Self {
        Self { scopes, resources, ..Self::default() }
    }

    /// A need for no scope and no resource: the key must only be live and its owner active.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }

    /// A need for one scope, such as `workspace:read`.
    #[must_use]
    pub fn scope(scope: &str) -> Self {
        Self::default().and_scope(scope)
    }

    /// Adds a scope.
    #[must_use]
    pub fn and_scope(mut self, scope: &str) -> Self {
        match scope.parse() {
            Ok(scope) => self.scopes.push(scope),
            Err(_) => self.unreadable_scope = self.unreadable_scope.or_else(|| Some(scope.to_owned())),
        }
        self
    }

    /// Adds a resource, such as `workspace:w1`; `workspace:*` stands for all of a type.
    #[must_use]
    pub fn on(mut self, resource: &str) -> Self {
        match resource.parse() {
            Ok(resource) => self.resources.push(resource),
            Err(_) => self.unreadable_resource = self.unreadable_resource.or_else(|| Some(resource.to_owned())),
        }
        self
    }

    /// The needed scopes.
    #[must_use]
    pub fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// The first scope that could not be parsed.
    pub(crate) fn unreadable_scope(&self) -> Option<&str> {
        self.unreadable_scope.as_deref()
    }

    /// The first resource that `permits` rejects or that could not be parsed.
    pub(crate) fn first_outside(&self, permits: impl Fn(&Resource) -> bool) -> Option<String> {
        let outside = self.resources.iter().find(|resource| !permits(resource)).map(ToString::to_string);
        outside.or_else(|| self.unreadable_resource.clone())
    }
}
