//! Users: made, changed, deleted. What takes a user's power away takes it from their keys in the
//! same transaction. [`OneUser`] is a user for those who may change them.

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

/// A user, for a caller who has the right `R` to them.
#[derive(Debug)]
pub struct OneUser<'a, R> {
    service: &'a Service,
    caller: &'a Caller,
    user: User,
    right: PhantomData<R>,
}

impl Service {
    /// A user to be changed.
    ///
    /// # Errors
    /// [`Error::NotFound`] for one who is absent or hidden, [`Error::Forbidden`], then
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

    /// The user that an act is about: visible, allowed by the caller's roles, and covered by the
    /// calling key's allow list.
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
