//! Uses of keys, gathered off the requests' path and written in batches.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use keyward_domain::{ApiKey, KeyId, Timestamp};
use keyward_storage::usage::{self, Use};
use keyward_storage::{Lane, StoreError};

use crate::Service;

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
    pub(crate) fn note(&self, key: &ApiKey, at: Timestamp, ip: Option<IpAddr>) {
        if !key.use_is_news(at) {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MOST_WAITING || waiting.contains_key(&key.id) {
            let ip = ip.map(|ip| ip.to_string());
            waiting.insert(key.id.clone(), Use { key: key.id.clone(), user: key.user_id, at, ip });
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
    /// When the database fails; the uses not yet written are let go.
    pub async fn flush_usage(&self) -> Result<(), StoreError> {
        let uses = self.inner.usage.take();
        for batch in uses.chunks(BATCH) {
            let batch = batch.to_vec();
            self.inner.store.write(Lane::Normal, move |conn| usage::note(conn, &batch)).await?;
        }
        Ok(())
    }
}
