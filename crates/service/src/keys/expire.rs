//! Expires a key, and returns once no server and no verifier accepts it.

use keyward_domain::event::Cause;
use keyward_domain::key::{EndNote, EndReason, Ending};
use keyward_storage::{Lane, Tx, keys};

use super::OneKey;
use crate::error::Error;
use crate::incidents::Reach;
use crate::right::{ExpireKey, Right as _};
use crate::verifiers::Barrier;

/// Why a key is ended, and what ends with it.
#[derive(Clone, Debug, Default)]
pub struct Why {
    /// The reason.
    pub reason: Option<EndReason>,
    /// A note on why.
    pub note: Option<EndNote>,
    /// Whether the live keys end too that the key has created, and so on, as far as the caller may end
    /// them.
    pub cascades: bool,
}

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
    pub async fn expire(self, why: Why) -> Result<Barrier, Error> {
        if why.cascades {
            // It also ends keys that the path does not name.
            self.caller.require_all_of(ExpireKey::ACT.resource())?;
        }
        let (caller, id) = (self.caller.clone(), self.id);
        let work = move |tx: &mut Tx<'_>| {
            let (caller, owned) = Self::confirm(tx, &caller, &id)?;
            let Why { reason, note, cascades } = why;
            let ending = Ending { cause: Cause::Requested, reason, note, incident: None };
            let (now, origin) = (caller.now, caller.origin());
            let mut parents = vec![owned.key.id.clone()];
            keys::expire(tx, owned.key, now, &ending, &origin)?;
            let ending = Ending { cause: Cause::MinterEnded, ..ending };
            while cascades && !parents.is_empty() {
                let (only, hidden) = Reach::of(&caller).users(&caller);
                parents = keys::live_children(tx, &parents, only, hidden, now)?;
                let children = keys::find_many_for_update(tx, &parents)?;
                keys::expire_many(tx, children, now, &ending, &origin)?;
            }
            Ok::<_, Error>(())
        };
        self.service.change_and_report(Lane::Urgent, work).await.map(|((), barrier)| barrier)
    }
}
