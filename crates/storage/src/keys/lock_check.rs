//! Finds out which of many keys the locks refuse.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use keyward_domain::lock::{Lock, Locked};
use keyward_domain::user::UserRef;
use keyward_domain::{ApiKey, Catalogue, User, UserId};

use crate::conn::Conn;
use crate::error::StoreError;
use crate::users;

/// The locks, and the owners of the keys that they select.
///
/// An owner is read only if a lock selects one of their keys, and once: a list may look at every key, and a
/// query for each takes longer than a request may.
#[derive(Debug)]
pub(super) struct LockCheck {
    locks: Vec<Lock>,
    owners: HashMap<UserId, Option<User>>,
}

impl LockCheck {
    pub(super) fn new(locks: Vec<Lock>) -> Self {
        Self { locks, owners: HashMap::new() }
    }

    /// Whether a lock refuses the key.
    pub(super) fn refuse(
        &mut self,
        conn: &mut Conn<'_>,
        key: &ApiKey,
        catalogue: &Catalogue,
    ) -> Result<bool, StoreError> {
        if !self.locks.iter().any(|lock| lock.selects(key, catalogue)) {
            return Ok(false);
        }
        let owner = match self.owners.entry(key.user_id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(users::find(conn, &UserRef::Id(key.user_id))?),
        };
        Ok(owner.as_ref().is_some_and(|owner| Locked::of(&self.locks, key, owner, catalogue).denied.is_some()))
    }
}
