//! How keys are used and refused. Requests count in memory; a background task writes the tallies.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use keyward_domain::{KeyId, Timestamp, UserId};
use keyward_storage::activity::{self, Tally, What};
use keyward_storage::{Lane, StoreError, Tx};

pub use keyward_storage::activity::{Activity, RefusedRow, UsedRow};

use crate::Service;
use crate::error::Error;
use crate::keys::OneKey;
use crate::right::ReadKeys;

/// Locks of the tallies, so that threads rarely wait for each other.
const SHARDS: usize = 16;

/// Maximum number of unwritten tallies in a shard. Beyond it, further ones are dropped.
const MOST_WAITING: usize = 10_000;

/// Tallies per transaction.
const BATCH: usize = 200;

/// Rows of each kind in the activity of a key.
const MOST_ROWS: i64 = 100;

const MICROS_PER_HOUR: i64 = 3_600 * 1_000_000;

/// How a key is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Via {
    /// As the credential of a request to the API.
    Api,
    /// In a request that verifies it.
    Verify,
    /// In the sub-request of a reverse proxy.
    Authz,
    /// To an embedded verifier.
    Embedded,
}

impl Via {
    fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Verify => "verify",
            Self::Authz => "authz",
            Self::Embedded => "embedded",
        }
    }
}

/// What is counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Row {
    key: KeyId,
    event: Counted,
    ip: Option<IpAddr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Counted {
    Used(Via, Option<UserId>),
    /// With the number of the hour, because each hour has its own row.
    Refused(&'static str, i64),
}

#[derive(Clone, Copy, Debug)]
struct Count {
    count: i64,
    first_at: Timestamp,
    last_at: Timestamp,
}

/// Unwritten tallies.
#[derive(Debug, Default)]
pub(crate) struct Tallies {
    shards: [Mutex<HashMap<Row, Count>>; SHARDS],
}

impl Tallies {
    fn add(&self, row: Row, count: Count) {
        // The random part of an id differs from key to key.
        let shard = row.key.as_str().bytes().next_back().map_or(0, usize::from) % SHARDS;
        let Some(shard) = self.shards.get(shard) else { return };
        let mut rows = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = rows.get_mut(&row) {
            known.count += count.count;
            known.first_at = known.first_at.min(count.first_at);
            known.last_at = known.last_at.max(count.last_at);
        } else if rows.len() < MOST_WAITING {
            rows.insert(row, count);
        }
    }

    fn take(&self) -> Vec<(Row, Count)> {
        let take = |shard: &Mutex<HashMap<Row, Count>>| {
            let mut rows = shard.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *rows)
        };
        let mut taken: Vec<(Row, Count)> = self.shards.iter().flat_map(take).collect();
        // In one order, so that the transactions of two servers cannot deadlock.
        taken.sort_by(|(a, _), (b, _)| a.key.cmp(&b.key).then_with(|| a.ip.cmp(&b.ip)));
        taken
    }
}

impl Service {
    /// Counts an accepted use of a key. `asked_by` is the user who asked about it, and `ip` the address of
    /// its client.
    pub(crate) fn count_use(&self, key: &KeyId, via: Via, asked_by: Option<UserId>, ip: Option<IpAddr>, at: Timestamp) {
        let row = Row { key: key.clone(), event: Counted::Used(via, asked_by), ip };
        self.inner.tallies.add(row, Count { count: 1, first_at: at, last_at: at });
    }

    /// Counts uses that a verifier of the user `asked_by` has reported.
    pub(crate) fn count_reported(&self, key: &KeyId, asked_by: UserId, ip: Option<IpAddr>, count: i64, at: Timestamp) {
        let row = Row { key: key.clone(), event: Counted::Used(Via::Embedded, Some(asked_by)), ip };
        self.inner.tallies.add(row, Count { count, first_at: at, last_at: at });
    }

    /// Counts a use that was refused with this code, although the secret was right.
    pub fn count_refusal(&self, key: &KeyId, code: &'static str, ip: Option<IpAddr>) {
        let at = self.now();
        let row =
            Row { key: key.clone(), event: Counted::Refused(code, at.as_micros().div_euclid(MICROS_PER_HOUR)), ip };
        self.inner.tallies.add(row, Count { count: 1, first_at: at, last_at: at });
    }

    /// Writes the tallies. Called every few seconds and at shutdown.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; the unwritten tallies are kept for the next call.
    pub async fn flush_activity(&self) -> Result<(), StoreError> {
        let taken = self.inner.tallies.take();
        for (index, batch) in taken.chunks(BATCH).enumerate() {
            let tallies: Vec<Tally> = batch.iter().map(|(row, count)| tally(row, *count)).collect();
            let work = move |tx: &mut Tx<'_>| activity::add(tx, &tallies);
            if let Err(error) = self.change(Lane::Normal, work).await {
                for (row, count) in taken.iter().skip(index * BATCH) {
                    self.inner.tallies.add(row.clone(), *count);
                }
                return Err(error);
            }
        }
        Ok(())
    }
}

fn tally(row: &Row, Count { count, first_at, last_at }: Count) -> Tally {
    let what = match row.event {
        Counted::Used(via, asked_by) => What::Used { via: via.as_str(), asked_by },
        Counted::Refused(code, _) => What::Refused(code),
    };
    Tally { key: row.key.clone(), what, ip: row.ip.map(|ip| ip.to_string()), count, first_at, last_at }
}

impl OneKey<'_, ReadKeys> {
    /// How the key was used and refused last.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the key is missing or hidden.
    pub async fn activity(self) -> Result<Activity, Error> {
        let service = self.service().clone();
        let key = self.view().await?.key.id;
        Ok(service.inner.store.read(Lane::Normal, move |conn| activity::of(conn, &key, MOST_ROWS)).await?)
    }
}
