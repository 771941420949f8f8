//! Ending a key: decides, writes, and then it is true everywhere.

use keyward_domain::KeyId;
use keyward_domain::access::Act;
use keyward_domain::audit::Action;
use keyward_storage::{Lane, keys};

use super::find_for_update;
use crate::Service;
use crate::cache::Touched;
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
        let expired = self.change_and_tell(Lane::Urgent, Touched::Key(id.clone()), move |conn| {
            let owned = find_for_update(conn, &caller, Act::ExpireKey, &id)?;
            if let Some(ended) = owned.key.expired_at(caller.now) {
                let entry = caller.audit().key(Action::Write, 204, Some(&owned.key), Some(&ended));
                keys::expire(conn, &ended, &entry)?;
            }
            Ok(())
        });
        expired.await.map(|((), barrier)| barrier)
    }
}
