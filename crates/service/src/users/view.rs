//! Views and lists users.

use keyward_domain::User;
use keyward_domain::access::{self, Act};
use keyward_domain::user::UserRef;
use keyward_storage::users::{self, UserFilter};
use keyward_storage::{Conn, Lane};

use super::OneUser;
use crate::Service;
use crate::caller::Caller;
use crate::error::Error;
use crate::right::ReadUsers;

/// A list of the users that the caller may read. For most callers it has only themselves.
#[derive(Clone, Debug)]
pub struct UserList {
    service: Service,
    filter: UserFilter,
}

impl Service {
    /// Views a user. Viewing oneself needs no allow-list entry.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the user is missing or hidden, then [`Error::ResourceNotAllowed`].
    pub async fn view_user(&self, caller: &Caller, user: &UserRef) -> Result<User, Error> {
        if caller.is_self(user) {
            Ok(caller.user().clone())
        } else {
            self.visible_user(caller, Act::ReadUsers, user).await
        }
    }

    /// Lists the users that the caller may read. The calling key's allow list must cover all users.
    ///
    /// # Errors
    /// [`Error::ResourceNotAllowed`] if it does not.
    pub fn users(&self, caller: &Caller) -> Result<UserList, Error> {
        caller.require_all_of(Act::ReadUsers.resource())?;
        let all = access::everywhere(&caller.user().roles, Act::ReadUsers);
        let filter = UserFilter { only: (!all).then_some(caller.user().id), search: None };
        Ok(UserList { service: self.clone(), filter })
    }
}

impl OneUser<'_, ReadUsers> {
    /// The user.
    #[must_use]
    pub fn view(self) -> User {
        self.user
    }
}

impl UserList {
    /// Keeps the users with this text in the username, name or e-mail address, in any case.
    #[must_use]
    pub fn matching(self, search: Option<String>) -> Self {
        let filter = UserFilter { search: search.filter(|text| !text.is_empty()), ..self.filter };
        Self { filter, ..self }
    }

    /// At most `limit` users after the username `after`.
    ///
    /// # Errors
    /// [`Error::Store`] if the database fails.
    pub async fn page(&self, after: String, limit: i64) -> Result<Vec<User>, Error> {
        let filter = self.filter.clone();
        let work = move |conn: &mut Conn<'_>| users::list(conn, &filter, &after, limit);
        Ok(self.service.inner.store.read(Lane::Normal, work).await?)
    }

    /// The number of users, counted up to `cap`.
    ///
    /// # Errors
    /// [`Error::Store`] if the database fails.
    pub async fn count(&self, cap: u32) -> Result<u32, Error> {
        let filter = self.filter.clone();
        Ok(self.service.inner.store.read(Lane::Normal, move |conn| users::count(conn, &filter, cap)).await?)
    }
}
