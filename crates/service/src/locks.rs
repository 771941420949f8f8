//! Locks: refuse or limit keys at once, without ending them.

use keyward_domain::access::{self, Act, Decision, Relation};
use keyward_domain::event::Origin;
use keyward_domain::key::EndReason;
use keyward_domain::lock::{Lock, LockMode, LockSelector, Locked, Spared};
use keyward_domain::user::UserRef;
use keyward_domain::{Timestamp, UserId};
use keyward_storage::{Lane, StoreError, Tx, locks, users};
use uuid::Uuid;

use crate::Service;
use crate::caller::Caller;
use crate::error::Error;
use crate::incidents::Reach;
use crate::keys::OwnedKey;

/// Parameters of a new lock.
#[derive(Clone, Debug)]
pub struct NewLock {
    /// The conditions, except for the owner.
    pub selector: LockSelector,
    /// The owner, if the keys of one user are locked.
    pub user: Option<UserRef>,
    /// What the lock does.
    pub mode: LockMode,
    /// What callers with a locked key are told.
    pub message: String,
    /// Why.
    pub reason: Option<EndReason>,
    /// When the lock is removed.
    pub ends_at: Option<Timestamp>,
}

/// Adds, lists and removes locks for a caller who may end keys.
#[derive(Debug)]
pub struct LockDesk<'a> {
    service: &'a Service,
    caller: &'a Caller,
}

impl Service {
    /// Opens the desk for a caller. The calling key's allow list must cover all keys.
    ///
    /// # Errors
    /// [`Error::ResourceNotAllowed`].
    pub fn lock_desk<'a>(&'a self, caller: &'a Caller) -> Result<LockDesk<'a>, Error> {
        caller.require_all_of(Act::ExpireKey.resource())?;
        Ok(LockDesk { service: self, caller })
    }

    /// Whether a lock refuses the key.
    ///
    /// # Errors
    /// [`Error::Store`] if the database fails.
    pub async fn is_locked(&self, OwnedKey { key, owner }: &OwnedKey) -> Result<bool, Error> {
        let found = self.inner.store.read(Lane::Normal, locks::all).await?;
        Ok(Locked::of(&found, key, owner, &self.inner.catalogue).denied.is_some())
    }

    /// Removes the locks that have ended. Called every second.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn remove_ended_locks(&self) -> Result<(), StoreError> {
        let now = self.now();
        if !self.inner.store.read(Lane::Normal, move |conn| locks::any_ended(conn, now)).await? {
            return Ok(());
        }
        let work = move |tx: &mut Tx<'_>| {
            for lock in locks::all(tx)?.into_iter().filter(|lock| lock.ends_at.is_some_and(|end| end <= now)) {
                locks::remove(tx, &lock, &Origin::system(now))?;
            }
            Ok::<_, StoreError>(())
        };
        self.change(Lane::Normal, work).await
    }
}

impl LockDesk<'_> {
    /// Adds a lock, and returns once every server and verifier judges by it. It spares the calling key, and
    /// the sessions of the only active owner.
    ///
    /// # Errors
    /// [`Error::UnknownUser`] if the named user is missing or hidden; [`Error::Forbidden`] if the caller
    /// may not end that user's keys.
    pub async fn add(&self, new: NewLock) -> Result<Lock, Error> {
        let (service, caller) = (self.service, self.caller);
        let own = caller.user().id;
        let reach = Reach::of(caller);
        let mut selector = new.selector;
        if let Some(user) = &new.user {
            let user = service.user_in_path(caller, user, Lane::Normal).await.map_err(Error::of_selected_user)?;
            caller.require(Act::ExpireKey, &user).map_err(Error::of_selected_user)?;
            selector.user = Some(user.id);
        }
        if reach == Reach::Own {
            selector.user = Some(own);
        }
        let (caller, now) = (caller.clone(), caller.now);
        let work = move |tx: &mut Tx<'_>| {
            // No other transaction changes who is an active owner until this lock is there.
            users::hold_all(tx)?;
            let caller = caller.confirm(tx)?;
            if Reach::of(&caller) != reach {
                return Err(Error::Forbidden);
            }
            let lock = Lock {
                id: Uuid::now_v7(),
                created_at: now,
                actor: own,
                actor_username: caller.user().username.to_string(),
                selector,
                spared: Spared {
                    key: caller.key().id.clone(),
                    owners: reach == Reach::AllButOwners,
                    sessions_of: only_owner(tx)?,
                },
                mode: new.mode,
                message: new.message,
                reason: new.reason,
                ends_at: new.ends_at,
            };
            locks::add(tx, &lock, &caller.origin())?;
            Ok(lock)
        };
        service.change(Lane::Urgent, work).await
    }

    /// The locks that the caller may see: all for those who read the audit log, else their own.
    ///
    /// # Errors
    /// [`Error::Store`] if the database fails.
    pub async fn list(&self) -> Result<Vec<Lock>, Error> {
        let found = self.service.inner.store.read(Lane::Normal, locks::all).await?;
        let user = self.caller.user();
        let sees_all = access::decide(&user.roles, Act::ReadAudit, Relation::Other) == Decision::Allowed;
        Ok(found.into_iter().filter(|lock| sees_all || lock.actor == user.id).collect())
    }

    /// Removes a lock. An owner removes any, others their own.
    ///
    /// # Errors
    /// [`Error::NotFound`] if it is missing or hidden; [`Error::Forbidden`] if the caller may see it but not
    /// remove it.
    pub async fn remove(&self, id: Uuid) -> Result<(), Error> {
        let caller = self.caller.clone();
        let work = move |tx: &mut Tx<'_>| {
            let caller = caller.confirm(tx)?;
            let lock = locks::find(tx, id)?.ok_or(Error::NotFound)?;
            let user = caller.user();
            if lock.actor != user.id && Reach::of(&caller) != Reach::Everyone {
                let sees = access::decide(&user.roles, Act::ReadAudit, Relation::Other) == Decision::Allowed;
                return Err(if sees { Error::Forbidden } else { Error::NotFound });
            }
            if locks::remove(tx, &lock, &caller.origin())? { Ok(()) } else { Err(Error::NotFound) }
        };
        self.service.change(Lane::Urgent, work).await
    }
}

/// The only active owner, if there is no other.
fn only_owner(tx: &mut Tx<'_>) -> Result<Option<UserId>, StoreError> {
    let owners = users::active_owners(tx)?;
    Ok(match owners.as_slice() {
        [only] => Some(*only),
        _ => None,
    })
}
