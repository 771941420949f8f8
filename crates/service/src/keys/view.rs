//! Views one key, and the limits of a user's tokens.

use keyward_domain::access::Act;
use keyward_domain::user::UserRef;
use keyward_domain::{Lifetime, TokenName};
use keyward_storage::{Lane, keys};

use super::{OneKey, OwnedKey, OwnerKeys};
use crate::Service;
use crate::caller::Caller;
use crate::error::Error;
use crate::right::ReadKeys;

impl OneKey<'_, ReadKeys> {
    /// Views the key, of either kind, expired or not.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the key is missing or hidden.
    pub async fn view(self) -> Result<OwnedKey, Error> {
        let id = self.id;
        let owned = self.service.inner.store.read(Lane::Normal, move |conn| keys::find(conn, &id)).await?;
        let owned = owned.ok_or(Error::NotFound)?;
        self.caller.require(Act::ReadKeys, &owned.owner)?;
        Ok(owned)
    }
}

impl OwnerKeys<'_, ReadKeys> {
    /// The maximum lifetime of the user's tokens.
    #[must_use]
    pub fn max_token_lifetime(&self) -> Lifetime {
        self.service.inner.settings.max_lifetime_for(&self.owner)
    }
}

impl Service {
    /// Views the user's live token of this name, or else the one that expired last.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the user or the token is missing or hidden; then
    /// [`Error::ResourceNotAllowed`] if the calling key's allow list does not cover the token.
    pub async fn view_token(&self, caller: &Caller, user: &UserRef, name: TokenName) -> Result<OwnedKey, Error> {
        let owner = self.user_in_path(caller, user, Lane::Normal).await?;
        caller.require(Act::ReadKeys, &owner)?;
        let (now, id) = (caller.now, owner.id);
        let found = self.inner.store.read(Lane::Normal, move |conn| keys::find_by_name(conn, id, &name, now)).await?;
        let key = found.ok_or(Error::NotFound)?;
        caller.require_one(Act::ReadKeys.resource(), key.id.as_str())?;
        Ok(OwnedKey { key, owner })
    }
}
