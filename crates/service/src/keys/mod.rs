//! The life of keys. [`OwnerKeys`] are the keys of a user, for those who may list or make them;
//! [`OneKey`] is a key named by its id, for those who may view or end it.

mod create;
mod delete;
mod expire;
mod list;
mod view;

pub use create::{NewToken, NotPositive};
pub use keyward_storage::keys::{KeyCursor, OwnedKey};
pub use list::KeyList;

use std::marker::PhantomData;

use keyward_domain::access::{Act, Decision};
use keyward_domain::user::UserRef;
use keyward_domain::{KeyId, User};
use keyward_storage::{Lane, Tx, keys, users};

use crate::Service;
use crate::caller::Caller;
use crate::error::Error;
use crate::right::Right;

/// The keys of one user, for a caller who has the right `R` to them.
#[derive(Debug)]
pub struct OwnerKeys<'a, R> {
    service: &'a Service,
    caller: &'a Caller,
    owner: User,
    right: PhantomData<R>,
}

/// A key named by its id, for a caller who may know the user in the path, and whose allow list covers
/// the key. Whether they have the right `R` to it is decided on its row.
#[derive(Debug)]
pub struct OneKey<'a, R> {
    service: &'a Service,
    caller: &'a Caller,
    id: KeyId,
    right: PhantomData<R>,
}

impl Service {
    /// The keys of a user. The calling key needs all keys in its allow list.
    ///
    /// # Errors
    /// [`Error::ResourceNotAllowed`], then [`Error::NotFound`] for a user who is absent or hidden,
    /// then [`Error::Forbidden`].
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

    /// A key, found by its id alone; the user in the path need only be visible.
    ///
    /// # Errors
    /// [`Error::ResourceNotAllowed`], then [`Error::NotFound`] for a user who is absent or hidden.
    pub async fn key<'a, R: Right>(
        &'a self,
        caller: &'a Caller,
        _right: R,
        user: &UserRef,
        id: KeyId,
    ) -> Result<OneKey<'a, R>, Error> {
        caller.require_one(R::ACT.resource(), id.as_str())?;
        // Ending keys stands in a queue of its own, from the first look-up on.
        let lane = match R::ACT {
            Act::ExpireKey | Act::DeleteKey => Lane::Urgent,
            _ => Lane::Normal,
        };
        self.user_in_path(caller, user, lane).await?;
        Ok(OneKey { service: self, caller, id, right: PhantomData })
    }

    /// The user that stands in a path, if the caller may know of them: their record or their keys.
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
    /// Checks the right to change the key again, on the rows as they are; absent and hidden are one
    /// answer. The key's row is locked.
    fn confirm(tx: &mut Tx<'_>, caller: &Caller, id: &KeyId) -> Result<(Caller, OwnedKey), Error> {
        let caller = caller.confirm(tx)?;
        caller.require_one(R::ACT.resource(), id.as_str())?;
        let owned = keys::find_for_update(tx, id)?.ok_or(Error::NotFound)?;
        caller.require(R::ACT, &owned.owner)?;
        Ok((caller, owned))
    }
}
