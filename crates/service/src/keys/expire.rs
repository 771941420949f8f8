//! Ending a key: decides, writes, and then it is true everywhere.

use keyward_domain::KeyId;
use keyward_domain::access::Act;
use keyward_domain::event::Cause;
use keyward_storage::{Lane, keys};

use super::confirm;
use crate::Service;
use crate::caller::Caller;
use crate::error::Error;
use crate::verifiers::Barrier;

impl Service {
    /// Ends a key now and keeps its record. Ending a dead key changes nothing and leaves no entry.
    ///
    /// Once this has answered, the key is dead for every server on the database, and for every
    /// embedded verifier: each has said that it knows, or may not use what it remembers any more.
    ///
    /// # Errors
    /// [`Error::NotFound`] for what is absent or hidden, [`Error::Forbidden`] for what may be seen
    /// and not be ended.
    pub async fn expire_key(&self, caller: &Caller, user: &str, id: &str) -> Result<Barrier, Error> {
        caller.require_one(Act::ExpireKey.resource(), id)?;
        self.user_in_path(caller, user, Lane::Urgent).await?;
        let id: KeyId = id.parse().map_err(|_malformed| Error::NotFound)?;
        let caller = caller.clone();
        let expired = self.change_and_report(Lane::Urgent, move |tx| {
            let (caller, owned) = confirm(tx, &caller, Act::ExpireKey, &id)?;
            Ok::<_, Error>(keys::expire(tx, owned.key, caller.now, Cause::Requested, &caller.origin())?)
        });
        expired.await.map(|((), barrier)| barrier)
    }
}
