//! Expires a key, and returns once no server and no verifier accepts it.

use keyward_domain::event::Cause;
use keyward_storage::{Lane, Tx, keys};

use super::OneKey;
use crate::error::Error;
use crate::right::ExpireKey;
use crate::verifiers::Barrier;

impl OneKey<'_, ExpireKey> {
    /// Expires the key now and keeps its record. Expiring a dead key changes nothing and leaves no audit
    /// entry.
    ///
    /// When this returns, every server on the database and every embedded verifier rejects the key: each
    /// verifier has acknowledged the change, or its lease has expired.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the key is missing or hidden; [`Error::Forbidden`] if the caller may see
    /// the key but not expire it.
    pub async fn expire(self) -> Result<Barrier, Error> {
        let (caller, id) = (self.caller.clone(), self.id);
        let work = move |tx: &mut Tx<'_>| {
            let (caller, owned) = Self::confirm(tx, &caller, &id)?;
            Ok::<_, Error>(keys::expire(tx, owned.key, caller.now, Cause::Requested, &caller.origin())?)
        };
        self.service.change_and_report(Lane::Urgent, work).await.map(|((), barrier)| barrier)
    }
}
