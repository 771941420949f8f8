//! What locks should do, written down without the code of the domain's locks: the reference with which
//! the histories compare.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use keyward_domain::lock::{LockMode, LockSelector};
use keyward_domain::{ApiKey, Catalogue, KeyId, KeyKind, Role, Scope, Scopes, Timestamp, User, UserId};
use keyward_service::locks::NewLock;
use uuid::Uuid;

/// Scopes that are compared one by one: single ones, all of a resource, everything, and a composite.
pub(crate) const PROBES: [&str; 9] = [
    "workspace:read",
    "workspace:ssh",
    "workspace:delete",
    "workspace:*",
    "template:read",
    "file:read",
    "api_key:create",
    "coder:workspaces.access",
    "*:*",
];

/// Which of the [`PROBES`] are granted.
pub(crate) fn granted(grants: impl Fn(&Scope) -> bool) -> Vec<bool> {
    static PARSED: LazyLock<Vec<Scope>> = LazyLock::new(|| PROBES.iter().map(|scope| scope.parse().unwrap()).collect());

    PARSED.iter().map(grants).collect()
}

/// A lock that refuses all keys that the selector selects, until it is removed.
pub(crate) fn deny(selector: LockSelector, message: &str) -> NewLock {
    let message = message.to_owned();
    NewLock { selector, user: None, mode: LockMode::Deny, message, reason: None, ends_at: None }
}

/// A lock as it was requested.
#[derive(Clone, Debug)]
pub(crate) struct KnownLock {
    pub id: Uuid,
    /// Selects the keys of this user.
    pub user: Option<UserId>,
    /// Selects these keys.
    pub ids: Option<BTreeSet<KeyId>>,
    /// Selects keys that grant this scope.
    pub scope: Option<Scope>,
    /// Selects keys by the beginning of their name, in lower case.
    pub name_prefix: Option<String>,
    /// The scopes that are left; none if the lock refuses the keys.
    pub limit: Option<Scopes>,
    pub message: String,
    pub ends_at: Option<Timestamp>,
    /// The maker's key, which is spared.
    pub made_with: KeyId,
    /// Set if the maker may not end owners' keys: the maker's id, because the maker's keys are not spared.
    pub spares_owners_except: Option<UserId>,
    /// The user whose sessions are spared: the last one who was the only active owner under this lock.
    pub last_owner: Option<UserId>,
}

/// All locks, oldest first.
#[derive(Debug, Default)]
pub(crate) struct KnownLocks(pub Vec<KnownLock>);

/// What the locks do to one key.
#[derive(Debug, Default)]
pub(crate) struct Effect {
    /// The message of the first lock that refuses the key.
    pub denied: Option<String>,
    /// The scopes of each lock that limits the key.
    pub limits: Vec<Scopes>,
}

impl KnownLock {
    pub(crate) fn new(id: Uuid, new: &NewLock, user: Option<UserId>, by: &ApiKey, spares_owners: bool) -> Self {
        Self {
            id,
            user,
            ids: new.selector.ids.clone(),
            scope: new.selector.scope.clone(),
            name_prefix: new.selector.name_prefix.clone(),
            limit: match &new.mode {
                LockMode::Deny => None,
                LockMode::Limit(scopes) => Some(scopes.clone()),
            },
            message: new.message.clone(),
            ends_at: new.ends_at,
            made_with: by.id.clone(),
            spares_owners_except: spares_owners.then_some(by.user_id),
            last_owner: None,
        }
    }

    fn selects(&self, key: &ApiKey, catalogue: &Catalogue) -> bool {
        self.user.is_none_or(|user| user == key.user_id)
            && self.ids.as_ref().is_none_or(|ids| ids.contains(&key.id))
            && self.scope.as_ref().is_none_or(|scope| catalogue.grants(&key.scopes, scope))
            && self.name_prefix.as_ref().is_none_or(|prefix| key.name_text().to_lowercase().starts_with(prefix))
    }

    fn spares(&self, key: &ApiKey, owner: &User) -> bool {
        let of_other_owner = |maker| maker != owner.id && owner.roles.contains(Role::Owner);
        self.made_with == key.id
            || self.spares_owners_except.is_some_and(of_other_owner)
            || (key.kind() == KeyKind::Session && self.last_owner == Some(owner.id))
    }
}

impl KnownLocks {
    /// Must be called after each act, with the active owners.
    pub(crate) fn owners_are(&mut self, active: &[UserId]) {
        if let [only] = active {
            self.0.iter_mut().for_each(|lock| lock.last_owner = Some(*only));
        }
    }

    /// What the locks do to a key of this owner.
    pub(crate) fn on(&self, key: &ApiKey, owner: &User, catalogue: &Catalogue) -> Effect {
        let mut effect = Effect::default();
        for lock in self.0.iter().filter(|lock| lock.selects(key, catalogue) && !lock.spares(key, owner)) {
            match &lock.limit {
                None => effect.denied = effect.denied.or_else(|| Some(lock.message.clone())),
                Some(scopes) => effect.limits.push(scopes.clone()),
            }
        }
        effect
    }
}
