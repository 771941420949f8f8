//! Deleting a key and its record. The audit log keeps what it was.

use keyward_storage::{Lane, Tx, keys};

use super::OneKey;
use crate::error::Error;
use crate::right::DeleteKey;

impl OneKey<'_, DeleteKey> {
    /// Deletes the key and its record.
    ///
    /// # Errors
    /// [`Error::NotFound`] for what is absent or hidden, [`Error::Forbidden`] for what the caller may
    /// see and not delete.
    pub async fn delete(self) -> Result<(), Error> {
        let (caller, id) = (self.caller.clone(), self.id);
        let work = move |tx: &mut Tx<'_>| {
            let (caller, owned) = Self::confirm(tx, &caller, &id)?;
            if keys::delete(tx, owned.key, &caller.origin())? { Ok(()) } else { Err(Error::NotFound) }
        };
        self.service.change(Lane::Urgent, work).await
    }
}
