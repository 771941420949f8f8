//! Uses of keys, gathered off the requests' path and written in batches.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use keyward_domain::{KeyId, Timestamp};
use keyward_storage::usage::{self, Use};
use keyward_storage::{Lane, StoreError, Tx};

use crate::Service;
use crate::key_cache::CachedKey;

/// Beyond so many keys waiting to be written, further uses are let go: they will come again.
const MOST_WAITING: usize = 100_000;

/// How many keys one transaction notes.
const BATCH: usize = 500;

/// Uses that are not written yet, the latest of each key.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    waiting: Mutex<HashMap<KeyId, Use>>,
}

impl Usage {
    /// Notes a use, if the key's record does not say as much already.
    pub(crate) fn note(&self, kept: &CachedKey, at: Timestamp, ip: Option<IpAddr>) {
        if !kept.should_record_use(at) {
            return;
        }
        let key = &kept.owned.key;
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MOST_WAITING || waiting.contains_key(&key.id) {
            let ip = ip.map(|ip| ip.to_string());
            waiting.insert(key.id.clone(), Use { key: key.id.clone(), user: key.user_id, at, ip });
        }
    }

    /// Lets uses wait again, where no later one of the same key does.
    fn put_back(&self, uses: impl Iterator<Item = Use>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for used in uses {
            waiting.entry(used.key.clone()).or_insert(used);
        }
    }

    fn take(&self) -> Vec<Use> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // In the order of the ids, so that two servers do not wait for each other's rows in a ring.
        let mut uses: Vec<Use> = waiting.drain().map(|(_, used)| used).collect();
        uses.sort_by(|a, b| a.key.cmp(&b.key));
        uses
    }
}

impl Service {
    /// Writes the uses that wait. Called every few seconds, and at the end.
    ///
    /// # Errors
    /// When the database fails; what is not written waits for the next time.
    pub async fn flush_usage(&self) -> Result<(), StoreError> {
        let uses = self.inner.usage.take();
        for (index, batch) in uses.chunks(BATCH).enumerate() {
            let batch = batch.to_vec();
            // What is in memory says when the next use is news, so it can stay.
            let work = move |tx: &mut Tx<'_>| usage::note(tx, &batch);
            if let Err(error) = self.change(Lane::Normal, work).await {
                self.inner.usage.put_back(uses.into_iter().skip(index * BATCH));
                return Err(error);
            }
        }
        Ok(())
    }
}
