//! Confirmations that keys are dead. They are written off the path of the request that ended the keys.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use keyward_domain::confirmation::{Confirmation, Witness};
use keyward_domain::{KeyId, Timestamp};
use keyward_storage::{Lane, StoreError, Tx, confirmations};

use crate::Service;
use crate::verifiers::Barrier;

/// How many keys may wait for their confirmation to be written. Beyond it, further ones get none.
const MOST_KEYS: usize = 100_000;

/// Confirmations that are not written yet.
#[derive(Debug, Default)]
pub(crate) struct Confirmations {
    waiting: Mutex<Vec<(Vec<KeyId>, Confirmation)>>,
}

impl Confirmations {
    fn add(&self, keys: Vec<KeyId>, confirmation: Confirmation) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let count: usize = waiting.iter().map(|(keys, _)| keys.len()).sum();
        if count + keys.len() <= MOST_KEYS {
            waiting.push((keys, confirmation));
        }
    }

    fn take(&self) -> Vec<(Vec<KeyId>, Confirmation)> {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Barrier {
    /// The confirmation of a wait that has just ended, at `now`.
    pub(crate) fn confirmation(&self, now: Timestamp) -> Confirmation {
        let waited_ms = i64::try_from(self.waited.as_millis()).unwrap_or(i64::MAX);
        let (ended, at) = (Instant::now(), now);
        let ago = |then: Instant| {
            let micros = i64::try_from(ended.saturating_duration_since(then).as_micros()).unwrap_or(0);
            Timestamp::from_micros(now.as_micros() - micros).unwrap_or(now)
        };
        let witnesses = self.seen.iter();
        let witnesses = witnesses
            .map(|seen| Witness { id: seen.id, name: seen.name.clone(), confirmed_at: seen.confirmed.map(ago) })
            .collect();
        Confirmation { at, waited_ms, witnesses }
    }
}

impl Service {
    /// Remembers that nobody accepts these keys any more, until [`Self::flush_confirmations`].
    pub(crate) fn confirm_ended(&self, keys: Vec<KeyId>, barrier: &Barrier) {
        if !keys.is_empty() {
            self.inner.confirmations.add(keys, barrier.confirmation(self.now()));
        }
    }

    /// Writes the confirmations that wait. Must be called every second and when the server stops.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails. They go on waiting.
    pub async fn flush_confirmations(&self) -> Result<(), StoreError> {
        let taken = self.inner.confirmations.take();
        if taken.is_empty() {
            return Ok(());
        }
        let rows = taken.clone();
        let work = move |tx: &mut Tx<'_>| -> Result<(), StoreError> {
            rows.iter().try_for_each(|(keys, confirmation)| confirmations::add(tx, keys, confirmation))
        };
        let written = self.change(Lane::Normal, work).await;
        if written.is_err() {
            taken.into_iter().for_each(|(keys, confirmation)| self.inner.confirmations.add(keys, confirmation));
        }
        written
    }
}
