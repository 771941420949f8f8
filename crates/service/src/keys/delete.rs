//! Deletes a key and its record. The audit log keeps the key's last state.

use keyward_storage::{Lane, Tx, keys};

use super::OneKey;
use crate::error::Error;
use crate::right::DeleteKey;

impl OneKey<'_, DeleteKey> {
    /// Deletes the key and its record.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the key is missing or hidden; [`Error::Forbidden`] if the caller may see
    /// the key but not delete it.
    pub async fn delete(self) -> Result<(), Error> {
        let (caller, id) = (self.caller.clone(), self.id);
        let work = move |tx: &mut Tx<'_>| {
            let (caller, owned) = Self::confirm(tx, &caller, &id)?;
            if keys::delete(tx, owned.key, &caller.origin())? { Ok(()) } else { Err(Error::NotFound) }
        };
        self.service.change(Lane::Urgent, work).await
    }
}
