//! The life of keys.

mod create;
mod delete;
mod expire;
mod list;
mod view;

pub use create::NewToken;
pub use keyward_storage::keys::{KeyCursor, ListFilter, OwnedKey};

use keyward_domain::access::{Act, Decision};
use keyward_domain::user::UserRef;
use keyward_domain::{KeyId, User};
use keyward_storage::{Lane, Tx, keys, users};

use crate::Service;
use crate::caller::Caller;
use crate::error::Error;

impl Service {
    /// The user that stands in a path, if the caller may know of them: their record or their keys.
    pub(crate) async fn user_in_path(&self, caller: &Caller, text: &str, lane: Lane) -> Result<User, Error> {
        let user: UserRef = text.parse().map_err(|_malformed| Error::NotFound)?;
        if caller.is_self(&user) {
            return Ok(caller.user().clone());
        }
        let found = self.inner.store.read(lane, move |conn| users::find(conn, &user)).await?;
        let known =
            |user: &User| [Act::ReadUsers, Act::ReadKeys].iter().any(|act| caller.may(*act, user) == Decision::Allowed);
        found.filter(known).ok_or(Error::NotFound)
    }

    /// The user whose keys a list or a create is about: visible, and the act is allowed. The calling
    /// key needs the whole kind in its allow list.
    ///
    /// # Errors
    /// When the allow list, or the caller's roles, do not let them.
    pub async fn owner_of_keys(&self, caller: &Caller, act: Act, user: &str) -> Result<User, Error> {
        caller.require_all_of(act.resource())?;
        let owner = self.user_in_path(caller, user, Lane::Normal).await?;
        caller.require(act, &owner)?;
        Ok(owner)
    }
}

/// Checks the right to change a key again, on the rows as they are; absent and hidden are one answer.
/// The key's row is locked.
fn confirm(tx: &mut Tx<'_>, caller: &Caller, act: Act, id: &KeyId) -> Result<(Caller, OwnedKey), Error> {
    let caller = caller.confirm(tx)?;
    caller.require_one(act.resource(), id.as_str())?;
    let owned = keys::find_for_update(tx, id)?.ok_or(Error::NotFound)?;
    caller.require(act, &owned.owner)?;
    Ok((caller, owned))
}
