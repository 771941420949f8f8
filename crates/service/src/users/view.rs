//! Showing users.

use keyward_domain::User;
use keyward_domain::access::{self, Act};
use keyward_domain::user::UserRef;
use keyward_storage::users::{self, UserFilter};
use keyward_storage::{Conn, Lane};

use crate::Service;
use crate::caller::Caller;
use crate::error::Error;

impl Service {
    /// A user. Seeing oneself needs no scope and no allow-list entry.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`] before anything is looked up; [`Error::NotFound`] for one who is
    /// absent or hidden.
    pub async fn view_user(&self, caller: &Caller, user: &str) -> Result<User, Error> {
        if user.parse::<UserRef>().is_ok_and(|user| caller.is_self(&user)) {
            return Ok(caller.user().clone());
        }
        caller.require_scope(Act::ReadUsers, &self.inner.catalogue)?;
        self.user_for(caller, Act::ReadUsers, user).await
    }

    /// The user that an act is about: visible, allowed by the caller's roles, and covered by the
    /// calling key's allow list.
    ///
    /// # Errors
    /// In that order: [`Error::NotFound`], [`Error::Forbidden`], [`Error::ResourceNotAllowed`].
    pub async fn user_for(&self, caller: &Caller, act: Act, user: &str) -> Result<User, Error> {
        let reference: UserRef = user.parse().map_err(|_malformed| Error::NotFound)?;
        let found = if caller.is_self(&reference) {
            caller.user().clone()
        } else {
            let work = move |conn: &mut Conn<'_>| users::find(conn, &reference);
            self.inner.store.read(Lane::Normal, work).await?.ok_or(Error::NotFound)?
        };
        caller.require(act, &found)?;
        caller.require_one(act.resource(), &found.id.to_string())?;
        Ok(found)
    }

    /// Does the calling key's allow list cover users as a whole, as a list needs?
    ///
    /// # Errors
    /// [`Error::ResourceNotAllowed`] if not.
    pub fn may_list_users(&self, caller: &Caller) -> Result<(), Error> {
        caller.require_all_of(Act::ReadUsers.resource())
    }

    /// Which users a list holds: all that the caller may read, which for most is themselves.
    ///
    /// # Errors
    /// [`Error::InvalidField`] for a search that can find nobody: no name holds control characters,
    /// and the databases do not agree on what a NUL is.
    pub fn user_list(&self, caller: &Caller, search: Option<String>) -> Result<UserFilter, Error> {
        if search.as_ref().is_some_and(|text| text.chars().any(char::is_control)) {
            return Err(Error::field("q", "q must not hold control characters"));
        }
        let all = access::everywhere(&caller.user().roles, Act::ReadUsers);
        Ok(UserFilter { only: (!all).then_some(caller.user().id), search: search.filter(|text| !text.is_empty()) })
    }

    /// A page of such a list, behind the username `after`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_page(&self, filter: UserFilter, after: String, limit: i64) -> Result<Vec<User>, Error> {
        let work = move |conn: &mut Conn<'_>| users::list(conn, &filter, &after, limit);
        Ok(self.inner.store.read(Lane::Normal, work).await?)
    }

    /// How many users match, counted up to `cap`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_count(&self, filter: UserFilter, cap: u32) -> Result<u32, Error> {
        Ok(self.inner.store.read(Lane::Normal, move |conn| users::count(conn, &filter, cap)).await?)
    }
}
