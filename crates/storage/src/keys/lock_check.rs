//! Finds out which of many keys the locks refuse.

use std::collections::HashMap;

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
        if !self.owners.contains_key(&key.user_id) {
            self.owners.insert(key.user_id, users::find(conn, &UserRef::Id(key.user_id))?);
        }
        let owner = self.owners.get(&key.user_id).and_then(Option::as_ref);
        Ok(owner.is_some_and(|owner| Locked::of(&self.locks, key, owner, catalogue).denied.is_some()))
    }
}
