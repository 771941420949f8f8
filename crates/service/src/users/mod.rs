//! Creates, changes and deletes users. A change that ends a user's access also affects their keys in
//! the same transaction. [`OneUser`] is a user on whom the caller has a right.

mod change;
mod create;
mod view;

pub use create::{NewUser, UserMaker};
pub use keyward_storage::users::UserFilter;
pub use view::UserList;

use std::marker::PhantomData;

use keyward_domain::User;
use keyward_domain::access::Act;
use keyward_domain::user::UserRef;
use keyward_storage::{Lane, users};

use crate::Service;
use crate::caller::Caller;
use crate::error::Error;
use crate::right::Right;

/// A user on whom the caller has the right `R`.
#[derive(Debug)]
pub struct OneUser<'a, R> {
    service: &'a Service,
    caller: &'a Caller,
    user: User,
    right: PhantomData<R>,
}

impl Service {
    /// Finds a user and checks the right `R`.
    ///
    /// # Errors
    /// In this order: [`Error::NotFound`] if the user is missing or hidden, [`Error::Forbidden`],
    /// [`Error::ResourceNotAllowed`].
    pub async fn user<'a, R: Right>(
        &'a self,
        caller: &'a Caller,
        _right: R,
        user: &UserRef,
    ) -> Result<OneUser<'a, R>, Error> {
        let user = self.visible_user(caller, R::ACT, user).await?;
        Ok(OneUser { service: self, caller, user, right: PhantomData })
    }

    /// Finds the user of an act, if the caller's roles permit the act and the calling key's allow list
    /// covers the user.
    async fn visible_user(&self, caller: &Caller, act: Act, user: &UserRef) -> Result<User, Error> {
        let found = if caller.is_self(user) {
            caller.user().clone()
        } else {
            let wanted = user.clone();
            let found = self.inner.store.read(Lane::Normal, move |conn| users::find(conn, &wanted)).await?;
            found.ok_or(Error::NotFound)?
        };
        caller.require(act, &found)?;
        caller.require_one(act.resource(), &found.id.to_string())?;
        Ok(found)
    }
}
