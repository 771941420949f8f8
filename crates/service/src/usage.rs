//! Uses of keys. Requests record them in memory; a background task writes them in batches.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use keyward_domain::{KeyId, Timestamp};
use keyward_storage::usage::{self, Use};
use keyward_storage::{Lane, StoreError, Tx};

use crate::Service;
use crate::key_cache::CachedKey;

/// Maximum number of keys with an unwritten use. Beyond it, uses of further keys are dropped; a later
/// use of the same key records again.
const MOST_WAITING: usize = 100_000;

/// Keys per transaction.
const BATCH: usize = 500;

/// Unwritten uses, the latest of each key.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    waiting: Mutex<HashMap<KeyId, Use>>,
}

impl Usage {
    /// Records a use, unless the last recorded use of the key is recent enough.
    pub(crate) fn note(&self, cached: &CachedKey, at: Timestamp, ip: Option<IpAddr>) {
        if !cached.should_record_use(at) {
            return;
        }
        let key = &cached.owned.key;
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MOST_WAITING || waiting.contains_key(&key.id) {
            let ip = ip.map(|ip| ip.to_string());
            waiting.insert(key.id.clone(), Use { key: key.id.clone(), user: key.user_id, at, ip });
        }
    }

    /// Records a use that a verifier has reported.
    pub(crate) fn note_reported(&self, used: Use) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MOST_WAITING || waiting.contains_key(&used.key) {
            let newest = waiting.entry(used.key.clone()).or_insert_with(|| used.clone());
            if newest.at < used.at {
                *newest = used;
            }
        }
    }

    /// Puts uses back after a failed write, except where the key has a later use.
    fn put_back(&self, uses: impl Iterator<Item = Use>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for used in uses {
            waiting.entry(used.key.clone()).or_insert(used);
        }
    }

    fn take(&self) -> Vec<Use> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // Sorted by id, so that the transactions of two servers cannot deadlock.
        let mut uses: Vec<Use> = waiting.drain().map(|(_, used)| used).collect();
        uses.sort_by(|a, b| a.key.cmp(&b.key));
        uses
    }
}

impl Service {
    /// Writes the recorded uses. Called every few seconds and at shutdown.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; the unwritten uses are kept for the next call.
    pub async fn flush_usage(&self) -> Result<(), StoreError> {
        let uses = self.inner.usage.take();
        for (index, batch) in uses.chunks(BATCH).enumerate() {
            let batch = batch.to_vec();
            // The cached facts know when a use was last recorded, so no key is evicted.
            let work = move |tx: &mut Tx<'_>| usage::note(tx, &batch);
            if let Err(error) = self.change(Lane::Normal, work).await {
                self.inner.usage.put_back(uses.into_iter().skip(index * BATCH));
                return Err(error);
            }
        }
        Ok(())
    }
}
