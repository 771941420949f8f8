//! Ending a key: decides, writes, and then it is true everywhere.

use keyward_domain::event::Cause;
use keyward_storage::{Lane, Tx, keys};

use super::OneKey;
use crate::error::Error;
use crate::right::ExpireKey;
use crate::verifiers::Barrier;

impl OneKey<'_, ExpireKey> {
    /// Ends the key now and keeps its record. Ending a dead key changes nothing and leaves no entry.
    ///
    /// Once this has answered, the key is dead for every server on the database, and for every
    /// embedded verifier: each has confirmed that it applied the change, or its lease has run out.
    ///
    /// # Errors
    /// [`Error::NotFound`] for what is absent or hidden, [`Error::Forbidden`] for what the caller may
    /// see and not end.
    pub async fn expire(self) -> Result<Barrier, Error> {
        let (caller, id) = (self.caller.clone(), self.id);
        let work = move |tx: &mut Tx<'_>| {
            let (caller, owned) = Self::confirm(tx, &caller, &id)?;
            Ok::<_, Error>(keys::expire(tx, owned.key, caller.now, Cause::Requested, &caller.origin())?)
        };
        self.service.change_and_report(Lane::Urgent, work).await.map(|((), barrier)| barrier)
    }
}
