//! Use cases on keys. [`OwnerKeys`] lists or creates the keys of a user; [`OneKey`] views, expires or
//! deletes one key.

mod create;
mod delete;
mod expire;
mod identify;
mod list;
mod view;

pub use create::{NewToken, NotPositive};
pub use expire::Why;
pub use identify::{How, Identified};
pub use keyward_storage::keys::{KeyCursor, ListedKey, OwnedKey, Sort};
pub use list::{KeyList, Wanted};

use std::marker::PhantomData;

use keyward_domain::access::{Act, Decision};
use keyward_domain::user::UserRef;
use keyward_domain::{KeyId, User};
use keyward_storage::{Lane, Tx, keys, users};

use crate::Service;
use crate::caller::Caller;
use crate::error::Error;
use crate::right::Right;

/// The keys of one user, on which the caller has the right `R`.
#[derive(Debug)]
pub struct OwnerKeys<'a, R> {
    service: &'a Service,
    caller: &'a Caller,
    owner: User,
    right: PhantomData<R>,
}

/// A key by id. The caller may see the user in the path, and the calling key's allow list covers the
/// key. The right `R` is checked later, on the key's row.
#[derive(Debug)]
pub struct OneKey<'a, R> {
    service: &'a Service,
    caller: &'a Caller,
    id: KeyId,
    right: PhantomData<R>,
}

impl Service {
    /// The keys of a user. The calling key's allow list must cover all keys.
    ///
    /// # Errors
    /// In this order: [`Error::ResourceNotAllowed`], [`Error::NotFound`] if the user is missing or
    /// hidden, [`Error::Forbidden`].
    pub async fn keys_of<'a, R: Right>(
        &'a self,
        caller: &'a Caller,
        _right: R,
        user: &UserRef,
    ) -> Result<OwnerKeys<'a, R>, Error> {
        caller.require_all_of(R::ACT.resource())?;
        let owner = self.user_in_path(caller, user, Lane::Normal).await?;
        caller.require(R::ACT, &owner)?;
        Ok(OwnerKeys { service: self, caller, owner, right: PhantomData })
    }

    /// A key, found by its id alone. The caller must be able to see the user in the path.
    ///
    /// # Errors
    /// [`Error::ResourceNotAllowed`], then [`Error::NotFound`] if the user is missing or hidden.
    pub async fn key<'a, R: Right>(
        &'a self,
        caller: &'a Caller,
        _right: R,
        user: &UserRef,
        id: KeyId,
    ) -> Result<OneKey<'a, R>, Error> {
        caller.require_one(R::ACT.resource(), id.as_str())?;
        // Expiring and deleting keys use their own queue, from the first lookup on.
        let lane = match R::ACT {
            Act::ExpireKey | Act::DeleteKey => Lane::Urgent,
            _ => Lane::Normal,
        };
        self.user_in_path(caller, user, lane).await?;
        Ok(OneKey { service: self, caller, id, right: PhantomData })
    }

    /// Finds the user in a path, if the caller may see the user or the user's keys.
    pub(crate) async fn user_in_path(&self, caller: &Caller, user: &UserRef, lane: Lane) -> Result<User, Error> {
        if caller.is_self(user) {
            return Ok(caller.user().clone());
        }
        let wanted = user.clone();
        let found = self.inner.store.read(lane, move |conn| users::find(conn, &wanted)).await?;
        let known =
            |user: &User| [Act::ReadUsers, Act::ReadKeys].iter().any(|act| caller.may(*act, user) == Decision::Allowed);
        found.filter(known).ok_or(Error::NotFound)
    }
}

impl<R: Right> OneKey<'_, R> {
    pub(crate) fn service(&self) -> &Service {
        self.service
    }

    pub(crate) fn caller(&self) -> &Caller {
        self.caller
    }

    /// Checks the right to change the key again on the current rows, and locks the key's row. A missing
    /// and a hidden key give the same error.
    fn confirm(tx: &mut Tx<'_>, caller: &Caller, id: &KeyId) -> Result<(Caller, OwnedKey), Error> {
        let caller = caller.confirm(tx)?;
        caller.require_one(R::ACT.resource(), id.as_str())?;
        let owned = keys::find_for_update(tx, id)?.ok_or(Error::NotFound)?;
        caller.require(R::ACT, &owned.owner)?;
        Ok((caller, owned))
    }
}
