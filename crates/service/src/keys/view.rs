//! Showing one key.

use keyward_domain::access::Act;
use keyward_domain::{ApiKey, KeyId, Lifetime, TokenName};
use keyward_storage::{Lane, keys};

use crate::Service;
use crate::caller::Caller;
use crate::error::Error;

impl Service {
    /// A key of either kind, expired or not, found by its id alone.
    ///
    /// # Errors
    /// [`Error::NotFound`] for what is absent or hidden.
    pub async fn view_key(&self, caller: &Caller, user: &str, id: &str) -> Result<ApiKey, Error> {
        caller.require_one(Act::ReadKeys.resource(), id)?;
        self.user_in_path(caller, user, Lane::Normal).await?;
        let id: KeyId = id.parse().map_err(|_malformed| Error::NotFound)?;
        let owned = self.inner.store.read(Lane::Normal, move |conn| keys::find(conn, &id)).await?;
        let owned = owned.ok_or(Error::NotFound)?;
        caller.require(Act::ReadKeys, &owned.owner)?;
        Ok(owned.key)
    }

    /// The user's live token of that name, or else the one that expired last.
    ///
    /// # Errors
    /// [`Error::NotFound`] for what is absent or hidden; then, when the calling key's allow list
    /// does not cover it, [`Error::ResourceNotAllowed`].
    pub async fn view_token_by_name(&self, caller: &Caller, user: &str, name: &str) -> Result<ApiKey, Error> {
        let owner = self.user_in_path(caller, user, Lane::Normal).await?;
        caller.require(Act::ReadKeys, &owner)?;
        let name: TokenName = name.parse().map_err(|_malformed| Error::NotFound)?;
        let found = self.inner.store.read(Lane::Normal, move |conn| keys::find_by_name(conn, owner.id, &name)).await?;
        let key = found.ok_or(Error::NotFound)?;
        caller.require_one(Act::ReadKeys.resource(), key.id.as_str())?;
        Ok(key)
    }

    /// The longest lifetime for the user's tokens.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a user who is absent or hidden.
    pub async fn max_token_lifetime(&self, caller: &Caller, user: &str) -> Result<Lifetime, Error> {
        let owner = self.owner_of_keys(caller, Act::ReadKeys, user).await?;
        Ok(self.inner.settings.max_lifetime_for(&owner))
    }
}
