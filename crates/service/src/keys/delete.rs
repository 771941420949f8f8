//! Removing a key and its record. The audit log keeps what it was.

use keyward_domain::KeyId;
use keyward_domain::access::Act;
use keyward_storage::{Lane, keys};

use super::confirm;
use crate::Service;
use crate::caller::Caller;
use crate::error::Error;

impl Service {
    /// Removes a key and its record.
    ///
    /// # Errors
    /// [`Error::NotFound`] for what is absent or hidden, [`Error::Forbidden`] for what may be seen
    /// and not be removed.
    pub async fn delete_key(&self, caller: &Caller, user: &str, id: &str) -> Result<(), Error> {
        caller.require_one(Act::DeleteKey.resource(), id)?;
        self.user_in_path(caller, user, Lane::Urgent).await?;
        let id: KeyId = id.parse().map_err(|_malformed| Error::NotFound)?;
        let caller = caller.clone();
        self.change(Lane::Urgent, move |tx| {
            let (caller, owned) = confirm(tx, &caller, Act::DeleteKey, &id)?;
            if keys::delete(tx, owned.key, &caller.origin())? { Ok(()) } else { Err(Error::NotFound) }
        })
        .await
    }
}
