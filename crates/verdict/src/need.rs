//! What a use of a key needs.

use keyward_domain::Scope;
use keyward_domain::allow_list::Resource;

/// What a use of a key needs: every scope, and the key's allow list to cover every resource.
///
/// Make one once and use it often where you can: reading the texts costs more than judging by them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Need {
    scopes: Vec<Scope>,
    /// The first scope that could not be read. Nothing is allowed by a need that is not understood.
    unreadable_scope: Option<String>,
    resources: Vec<Resource>,
    /// The first resource that could not be read. These often come out of a path, hence from a
    /// client, and no allow list covers an id that cannot be written in one.
    unreadable_resource: Option<String>,
}

impl Need {
    /// A need of all these scopes, on all these resources.
    #[must_use]
    pub fn new(scopes: Vec<Scope>, resources: Vec<Resource>) -> Self {
        Self { scopes, resources, ..Self::default() }
    }

    /// No scope and no resource: the key must be accepted, and nothing else.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }

    /// A need of this scope, such as `workspace:read`.
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

    /// The scopes, all of which are needed.
    #[must_use]
    pub fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// The first scope that could not be read.
    pub(crate) fn unreadable_scope(&self) -> Option<&str> {
        self.unreadable_scope.as_deref()
    }

    /// The first resource that is not permitted.
    pub(crate) fn first_outside(&self, permits: impl Fn(&Resource) -> bool) -> Option<String> {
        let outside = self.resources.iter().find(|resource| !permits(resource)).map(ToString::to_string);
        outside.or_else(|| self.unreadable_resource.clone())
    }
}
