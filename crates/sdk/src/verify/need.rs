//! What a use of a key needs.

use keyward_domain::Scope;
use keyward_domain::key::Resource;

/// What a use of a key needs: every scope, and the key's allow list to cover every thing.
///
/// Make one once and use it often where you can: reading the texts costs more than judging by them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Need {
    pub(super) scopes: Vec<Scope>,
    /// The first that could not be read. Nothing is allowed by a need that is not understood.
    pub(super) unreadable_scope: Option<String>,
    resources: Vec<Resource>,
    /// The first that could not be read. These often come out of a path, hence from a client, and
    /// an id that cannot be written in an allow list is covered by none.
    unreadable_resource: Option<String>,
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
            Err(_) => self.unreadable_scope = self.unreadable_scope.or_else(|| Some(scope.to_owned())),
        }
        self
    }

    /// On this thing, such as `workspace:w1`; also `workspace:*` for all of a type.
    #[must_use]
    pub fn on(mut self, resource: &str) -> Self {
        match resource.parse() {
            Ok(resource) => self.resources.push(resource),
            Err(_) => self.unreadable_resource = self.unreadable_resource.or_else(|| Some(resource.to_owned())),
        }
        self
    }

    /// The first thing that is not permitted.
    pub(super) fn first_outside(&self, permits: impl Fn(&Resource) -> bool) -> Option<String> {
        let outside = self.resources.iter().find(|resource| !permits(resource)).map(ToString::to_string);
        outside.or_else(|| self.unreadable_resource.clone())
    }
}
