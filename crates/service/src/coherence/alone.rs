//! Coherence of the only server on a SQLite file. It has a cache; other programs may write to the
//! file.

use keyward_storage::{Lane, Outcome, StoreError, Tx, verifiers};

use crate::Service;

impl Service {
    /// Evicts what a transaction changed and numbers it for the verifiers. Returns the number of the
    /// last change. It runs before the next transaction begins, because it still holds the writer's
    /// connection.
    pub(super) fn evict_and_number(&self, outcome: &Outcome) -> u64 {
        match outcome {
            Outcome::Committed(changes) => {
                if !changes.is_empty() {
                    self.inner.cache.evict(changes);
                }
                if changes.everything {
                    return self.inner.verifiers.record_everything();
                }
                self.inner.verifiers.record(changes)
            }
            Outcome::RolledBack => self.inner.verifiers.latest(),
            Outcome::Unknown => self.clear_caches(),
        }
    }

    /// Clears the cache if another program has written to the file.
    pub(super) async fn check_external_writes(&self) {
        if !self.inner.store.external_check_is_fresh() {
            // Boxed, so that other requests do not carry the state of this future.
            Box::pin(self.clear_after_external_writes()).await;
        }
    }

    async fn clear_after_external_writes(&self) {
        let changed = self.inner.store.has_external_writes().await;
        if let Err(error) = &changed {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                "cannot check for external writes; clearing the cache"
            );
        }
        // If the check fails, another program may have written.
        if changed.unwrap_or(true) {
            self.clear_caches();
        }
    }

    /// Clears the cache, and tells the verifiers to clear theirs. Returns the number of this change.
    pub(crate) fn clear_caches(&self) -> u64 {
        self.inner.cache.clear();
        self.inner.verifiers.record_everything()
    }

    /// Stores the length of this server's leases before it grants one: the next server on the file
    /// waits that long before its first success.
    pub(super) async fn store_lease(&self) -> Result<(), StoreError> {
        let millis = self.inner.verifiers.lease_millis();
        self.change(Lane::Normal, move |tx: &mut Tx<'_>| verifiers::note_lease(tx, millis)).await
    }
}
