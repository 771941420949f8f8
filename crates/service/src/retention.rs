//! Retention removes old keys and audit entries in batches, with one audit entry a batch.

use keyward_domain::Timestamp;
use keyward_domain::event::Origin;
use keyward_storage::{Lane, StoreError, audit, keys};

use crate::Service;

/// Records per transaction.
const BATCH: i64 = 500;

impl Service {
    /// Removes the keys and audit entries that are past their retention. Returns the number of each.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; earlier batches stay committed.
    pub async fn run_retention(&self) -> Result<(usize, usize), StoreError> {
        let settings = &self.inner.settings.retention;
        let now = self.now();
        let mut removed = (0, 0);
        if !settings.api_keys_retention.is_zero() {
            let cutoff = now.saturating_sub(settings.api_keys_retention);
            while let count @ 1.. = self.retire_keys(now, cutoff).await? {
                removed.0 += count;
            }
        }
        if !settings.audit_logs_retention.is_zero() {
            let cutoff = now.saturating_sub(settings.audit_logs_retention);
            while let count @ 1.. = self.retire_entries(now, cutoff).await? {
                removed.1 += count;
            }
        }
        Ok(removed)
    }

    async fn retire_keys(&self, now: Timestamp, cutoff: Timestamp) -> Result<usize, StoreError> {
        let origin = Origin::system(now);
        self.change(Lane::Normal, move |tx| keys::retire(tx, cutoff, BATCH, &origin)).await
    }

    async fn retire_entries(&self, now: Timestamp, cutoff: Timestamp) -> Result<usize, StoreError> {
        let origin = Origin::system(now);
        self.change(Lane::Normal, move |tx| audit::retire(tx, cutoff, BATCH, &origin)).await
    }
}
