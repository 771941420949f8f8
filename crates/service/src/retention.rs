//! Retention removes old keys and audit entries in batches, with one audit entry a batch.
//!
//! It never trusts one clock: a wrong one would remove every record. Its cutoff depends on the newest
//! audit entry as well, it does nothing while a step of the wall clock is held, and it waits for an
//! operator before it removes more than half of all keys.

use keyward_domain::event::Origin;
use keyward_domain::{ClockState, Lifetime, Timestamp};
use keyward_storage::{Lane, StoreError, audit, clock, keys};

use crate::Service;

/// Records per transaction.
const BATCH: i64 = 500;

/// How far the present time may be after the newest audit entry. A server that is used writes entries.
const PAST_NEWEST_ENTRY: Lifetime = Lifetime::hours(24);

/// What a pass of retention did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retired {
    /// The number of removed keys.
    pub keys: usize,
    /// The number of removed audit entries.
    pub entries: usize,
    /// What waits for an operator.
    pub held: Option<HeldKeys>,
}

/// Keys that retention does not remove without an operator's confirmation, because they are more than
/// half of all keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldKeys {
    /// They expired before this time.
    pub cutoff: Timestamp,
    /// The number of them when retention found them.
    pub count: i64,
}

impl From<(Timestamp, i64)> for HeldKeys {
    fn from((cutoff, count): (Timestamp, i64)) -> Self {
        Self { cutoff, count }
    }
}

impl Service {
    /// Removes the keys and audit entries that are past their retention.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; earlier batches stay committed.
    pub async fn run_retention(&self) -> Result<Retired, StoreError> {
        let settings = &self.inner.settings.retention;
        let mut retired = Retired::default();
        let newest = self.inner.store.read(Lane::Normal, clock::newest_entry).await?;
        let (Some(newest), ClockState::Following) = (newest, self.clock_state()) else { return Ok(retired) };
        let now = self.now();
        let trusted = now.min(newest.checked_add(PAST_NEWEST_ENTRY).unwrap_or(Timestamp::MAX));
        if !settings.api_keys_retention.is_zero() {
            let cutoff = trusted.saturating_sub(settings.api_keys_retention);
            match self.confirmed_cutoff(cutoff).await? {
                Ok(cutoff) => {
                    while let count @ 1.. = self.retire_keys(now, cutoff).await? {
                        retired.keys += count;
                    }
                    self.release_hold().await?;
                }
                Err(held) => retired.held = Some(held),
            }
        }
        if !settings.audit_logs_retention.is_zero() {
            let cutoff = trusted.saturating_sub(settings.audit_logs_retention);
            while let count @ 1.. = self.retire_entries(now, cutoff).await? {
                retired.entries += count;
            }
        }
        Ok(retired)
    }

    /// What retention waits for.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn held_retention(&self) -> Result<Option<HeldKeys>, StoreError> {
        Ok(self.inner.store.read(Lane::Normal, keys::hold).await?.held.map(HeldKeys::from))
    }

    /// Confirms what retention waits for, so that its next pass removes it. Returns it.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn confirm_retention(&self) -> Result<Option<HeldKeys>, StoreError> {
        let origin = Origin::system(self.now());
        let confirmed = self.change(Lane::Normal, move |tx| keys::confirm(tx, &origin)).await?;
        Ok(confirmed.map(HeldKeys::from))
    }

    /// The cutoff up to which keys may be removed: `cutoff`, or the confirmed one if more than half of
    /// all keys would go. Without a confirmation, records and returns what has to wait.
    async fn confirmed_cutoff(&self, cutoff: Timestamp) -> Result<Result<Timestamp, HeldKeys>, StoreError> {
        let read = move |conn: &mut keyward_storage::Conn<'_>| -> Result<_, StoreError> {
            Ok((keys::count_expired(conn, cutoff)?, keys::hold(conn)?))
        };
        let ((expired, all), hold) = self.inner.store.read(Lane::Normal, read).await?;
        if expired.saturating_mul(2) <= all {
            return Ok(Ok(cutoff));
        }
        if let Some(confirmed) = hold.confirmed {
            return Ok(Ok(confirmed.min(cutoff)));
        }
        // The first cutoff stays, so that an operator confirms what they were told.
        let held = hold.held.unwrap_or((cutoff, expired));
        if hold.held.is_none() {
            self.change(Lane::Normal, move |tx| keys::set_hold(tx, Some(held))).await?;
        }
        Ok(Err(HeldKeys::from(held)))
    }

    /// After a pass that removed keys, or had none to remove, nothing waits for an operator.
    async fn release_hold(&self) -> Result<(), StoreError> {
        let hold = self.inner.store.read(Lane::Normal, keys::hold).await?;
        if hold.held.is_some() || hold.confirmed.is_some() {
            self.change(Lane::Normal, |tx| keys::set_hold(tx, None)).await?;
        }
        Ok(())
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
