//! One server on a SQLite file, with a cache of its own. Other programs may write to the file.

use keyward_storage::{Lane, Outcome, StoreError, Tx, verifiers};

use crate::Service;

impl Service {
    /// Evicts what a transaction changed, and numbers it for the verifiers. Answers the number of the
    /// last change. All is done before the next transaction begins: the writer's connection is still
    /// held.
    pub(super) fn evict_and_number(&self, outcome: &Outcome) -> u64 {
        match outcome {
            Outcome::Committed(changes) => {
                if !changes.is_empty() {
                    self.inner.cache.evict(changes);
                }
                self.inner.verifiers.record(changes)
            }
            Outcome::RolledBack => self.inner.verifiers.latest(),
            Outcome::Unknown => self.forget_everything(),
        }
    }

    /// Clears the cache if another program has written to the file.
    pub(super) async fn check_external_writes(&self) {
        if !self.inner.store.external_check_is_fresh() {
            // Boxed: every request would otherwise carry the room that only this look needs.
            Box::pin(self.look_for_external_writes()).await;
        }
    }

    async fn look_for_external_writes(&self) {
        let changed = self.inner.store.has_external_writes().await;
        if let Err(error) = &changed {
            tracing::warn!(error = error as &dyn std::error::Error, "cannot tell whether the database was changed");
        }
        // Not known to be unchanged is as good as changed.
        if changed.unwrap_or(true) {
            self.forget_everything();
        }
    }

    fn forget_everything(&self) -> u64 {
        self.inner.cache.clear();
        self.inner.verifiers.record_everything()
    }

    /// Stores how long this server's leases are, before it gives one: the next server on the file
    /// waits that long before its first success.
    pub(super) async fn store_lease(&self) -> Result<(), StoreError> {
        let millis = self.inner.verifiers.lease_millis();
        self.change(Lane::Normal, move |tx: &mut Tx<'_>| verifiers::note_lease(tx, millis)).await
    }
}
