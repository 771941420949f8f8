//! What a use of a key needs.

use keyward_domain::Scope;
use keyward_domain::key::Resource;

/// What a use of a key needs: every scope, and the key's allow list to cover every thing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Need {
    pub(super) scopes: Vec<Scope>,
    pub(super) resources: Vec<Resource>,
    /// The first that could not be read. Nothing is allowed by a need that is not understood.
    pub(super) unreadable: Option<String>,
}

impl Need {
    /// Nothing but that the key is good.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }

    /// This scope, such as `workspace:read`.
    #[must_use]
    pub fn scope(scope: &str) -> Self {
        Self::default().and_scope(scope)
    }

    /// This scope too.
    #[must_use]
    pub fn and_scope(mut self, scope: &str) -> Self {
        match scope.parse() {
            Ok(scope) => self.scopes.push(scope),
            Err(_) => self.unreadable = self.unreadable.or_else(|| Some(scope.to_owned())),
        }
        self
    }

    /// On this thing, such as `workspace:w1`.
    #[must_use]
    pub fn on(mut self, resource: &str) -> Self {
        match resource.parse() {
            Ok(resource) => self.resources.push(resource),
            Err(_) => self.unreadable = self.unreadable.or_else(|| Some(resource.to_owned())),
        }
        self
    }
}
