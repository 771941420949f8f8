//! Reports of embedded verifiers about the uses of keys that they have accepted.
//!
//! A report is no fact of trust. It counts only with the proof of a key that its sender can have from the
//! key's text alone, and it changes only what is shown of the use of a key.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use keyward_domain::{KeyId, Timestamp, UserId};
use keyward_storage::keys::{self, Provable};
use keyward_storage::usage::Use;
use keyward_storage::{Conn, Lane, StoreError};

use crate::Service;

/// Maximum number of unwritten reports. Beyond it, further ones are dropped.
const MOST_WAITING: usize = 100_000;

/// Keys per query.
const BATCH: usize = 500;

/// A verifier's report about one key.
#[derive(Clone, Debug)]
pub struct Report {
    /// The key.
    pub key: KeyId,
    /// The proof that the verifier had the key's text.
    pub proof: [u8; 32],
    /// The newest use.
    pub at: Timestamp,
    /// How many uses.
    pub count: u32,
    /// The address of the client of the newest use, if known.
    pub ip: Option<IpAddr>,
}

/// Reports that are not written.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    waiting: Mutex<Vec<(UserId, Report)>>,
}

impl Service {
    /// Queues the reports of a verifier of this user.
    pub(crate) fn take_reports(&self, user: UserId, reports: Vec<Report>) {
        let mut waiting = self.inner.reports.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MOST_WAITING.saturating_sub(waiting.len());
        waiting.extend(reports.into_iter().take(room).map(|report| (user, report)));
    }

    /// Checks the queued reports and counts those that are proven. Called before the uses and the activity
    /// of keys are written.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; the reports are kept for the next call.
    pub async fn check_reports(&self) -> Result<(), StoreError> {
        let waiting = std::mem::take(&mut *self.inner.reports.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        for (index, batch) in waiting.chunks(BATCH).enumerate() {
            let ids: Vec<KeyId> = batch.iter().map(|(_, report)| report.key.clone()).collect();
            let work = move |conn: &mut Conn<'_>| keys::provable(conn, &ids);
            let known: HashMap<KeyId, Provable> = match self.inner.store.read(Lane::Normal, work).await {
                Ok(known) => known.into_iter().map(|key: Provable| (key.id.clone(), key)).collect(),
                Err(error) => {
                    let mut queue = self.inner.reports.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                    queue.extend(waiting.iter().skip(index * BATCH).cloned());
                    return Err(error);
                }
            };
            for (user, report) in batch {
                let proven = known.get(&report.key).filter(|key| key.digest.proof() == report.proof);
                if let Some(key) = proven {
                    let at = report.at.max(key.created_at);
                    let ip = report.ip.map(|ip| ip.to_string());
                    self.inner.usage.note_reported(Use { key: key.id.clone(), user: key.user, at, ip });
                    self.count_reported(&key.id, *user, report.ip, i64::from(report.count), at);
                }
            }
        }
        Ok(())
    }
}
