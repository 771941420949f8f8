//! Keeps the caches of this server, of other servers and of embedded verifiers coherent. Every change
//! goes through the same steps: commit, evict, notify, wait, answer.
//!
//! [`alone`] is for the only server on SQLite, which has a cache. [`cluster`] is for one of several
//! servers on PostgreSQL, which have no cache. Only this module distinguishes the two.

mod alone;
mod cluster;

pub use cluster::PEER_SYNC_INTERVAL;

use std::time::{Duration, Instant};

use keyward_domain::KeyId;
use keyward_storage::{Lane, Outcome, Store, StoreError, Tx};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::Service;
use crate::verifiers::Barrier;
use cluster::{Cluster, Registration};

/// Whether this server is the only one on its database.
#[derive(Debug)]
pub(crate) enum Coherence {
    /// The only server, on SQLite.
    Alone,
    /// One of several servers, on PostgreSQL, with the state about the others.
    Cluster(Box<Cluster>),
}

/// What remains to be done between the end of a transaction and the response.
#[derive(Clone, Debug)]
pub(crate) enum Remaining {
    Nothing,
    /// Wait until no cache can use the state before this change.
    Wait {
        /// The number of the change; 0 on PostgreSQL, where the change log numbers it.
        number: u64,
        /// When the change was committed, or shortly after.
        committed: Instant,
        /// The keys that the change has ended.
        ended: Vec<KeyId>,
    },
}

/// The permission to grant a lease. It is checked again when the poll is answered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MayLease {
    Always,
    WhileRegistered(Option<Registration>),
}

impl Coherence {
    /// `longest_lease` is the longest lease stored in the database.
    pub(crate) fn of(store: &Store, longest_lease: Option<Duration>) -> Self {
        if store.is_exclusive() {
            Self::Alone
        } else {
            Self::Cluster(Box::new(Cluster::new(longest_lease.unwrap_or_default())))
        }
    }

    /// Whether this process may cache keys.
    pub(crate) fn may_cache(&self) -> bool {
        matches!(self, Self::Alone)
    }

    /// Whether this server may grant leases: in a cluster, while it is registered.
    pub(crate) fn grants_leases(&self) -> bool {
        match self {
            Self::Alone => true,
            Self::Cluster(cluster) => cluster.registration().is_some(),
        }
    }

    /// How long leases of a previous server may still last, if nothing else records them. In a cluster,
    /// the database lists the servers that grant leases.
    pub(crate) fn unknown_leases(&self, longest_lease: Option<Duration>) -> Option<Duration> {
        match self {
            Self::Alone => longest_lease,
            Self::Cluster(_) => None,
        }
    }
}

impl Service {
    /// Runs a change as one transaction, and waits until no cache uses the old state. The changed keys
    /// are evicted and numbered for the verifiers right after the transaction, on its thread, so that a
    /// dropped request cannot leave a dead key in a cache. Dropping the request only ends the wait.
    pub(crate) async fn change<T, E, F>(&self, lane: Lane, work: F) -> Result<T, E>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.change_and_report(lane, work).await.map(|(done, _)| done)
    }

    /// Like [`Service::change`], and returns how many verifiers acknowledged the change.
    pub(crate) async fn change_and_report<T, E, F>(&self, lane: Lane, work: F) -> Result<(T, Barrier), E>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (done, remaining) = self.change_without_wait(lane, work).await?;
        let barrier = match remaining {
            Remaining::Wait { number, committed, ended } => {
                let barrier = self.wait(number, committed).await;
                self.confirm_ended(ended, &barrier);
                self.inner.counters.observe_barrier(&barrier);
                barrier
            }
            Remaining::Nothing => Barrier::default(),
        };
        Ok((done, barrier))
    }

    /// Like [`Service::change`], but does not wait. A later change that promises an end waits for this one
    /// too.
    pub(crate) async fn change_without_wait<T, E, F>(&self, lane: Lane, work: F) -> Result<(T, Remaining), E>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let service = self.clone();
        let (report, reported) = oneshot::channel();
        let ended = move |outcome: &Outcome| {
            // Sending fails if the request was dropped; then nothing waits for it.
            let _sent = report.send(service.on_transaction_end(outcome));
        };
        let done = self.inner.store.write(lane, work, ended).await?;
        Ok((done, reported.await.unwrap_or(Remaining::Nothing)))
    }

    /// Evicts what a transaction changed and notifies the verifiers. Runs on the transaction's thread.
    fn on_transaction_end(&self, outcome: &Outcome) -> Remaining {
        let committed = Instant::now();
        if let Outcome::Committed(changes) = outcome {
            self.inner.counters.count_entries(changes.entries);
        }
        let number = match &self.inner.coherence {
            Coherence::Alone => self.evict_and_number(outcome),
            // Nothing is cached here, and triggers write the change log in the same transaction, so
            // there is nothing to do even if the request is dropped.
            Coherence::Cluster(_) => 0,
        };
        match outcome {
            Outcome::Committed(changes) if changes.promises_end => {
                Remaining::Wait { number, committed, ended: changes.ended.clone() }
            }
            Outcome::Committed(_) | Outcome::RolledBack | Outcome::Unknown => Remaining::Nothing,
        }
    }

    /// Waits until no verifier can use the state before a change.
    async fn wait(&self, number: u64, committed: Instant) -> Barrier {
        let verifiers = &self.inner.verifiers;
        match &self.inner.coherence {
            Coherence::Alone => verifiers.barrier(number, None).await,
            Coherence::Cluster(cluster) => {
                let others = self.read_peers_after_change(cluster).await.map(|leases| committed + leases);
                verifiers.barrier(verifiers.latest(), others).await
            }
        }
    }

    /// Must be called before a key is judged by cached facts.
    pub(crate) async fn before_use(&self) {
        match &self.inner.coherence {
            Coherence::Alone => self.check_external_writes().await,
            Coherence::Cluster(_) => {}
        }
    }

    /// Must be called before facts are sent to a verifier, so that they include all changes of other
    /// servers and programs until now.
    pub(crate) async fn before_look_up(&self) -> Result<(), StoreError> {
        match &self.inner.coherence {
            Coherence::Alone => self.check_external_writes().await,
            Coherence::Cluster(cluster) => {
                self.read_peers(cluster, Instant::now()).await?;
            }
        }
        Ok(())
    }

    /// Must be called between receiving a verifier's poll and answering it. It reads the changes of
    /// other servers and programs until now, and registers this server to grant leases. `start` is the
    /// server's start that the verifier knows.
    pub(crate) async fn before_poll(&self, start: Option<Uuid>) -> Result<MayLease, StoreError> {
        let may_lease = match &self.inner.coherence {
            Coherence::Alone => {
                if start != Some(self.inner.verifiers.start()) {
                    self.store_lease().await?;
                }
                MayLease::Always
            }
            // Register first, then read the log: see the invariants of `cluster`.
            Coherence::Cluster(cluster) => MayLease::WhileRegistered(self.register(cluster).await?),
        };
        self.before_look_up().await?;
        Ok(may_lease)
    }

    /// Whether a lease may still be granted.
    pub(crate) fn may_lease(&self, may_lease: MayLease) -> bool {
        match (may_lease, &self.inner.coherence) {
            (MayLease::Always, _) => true,
            (MayLease::WhileRegistered(registration), Coherence::Cluster(cluster)) => {
                registration.is_some() && registration == cluster.registration()
            }
            (MayLease::WhileRegistered(_), Coherence::Alone) => false,
        }
    }

    /// Synchronises with the other servers on the database: reads their changes, keeps this server
    /// registered while it has verifiers, and deregisters servers that have stopped. Must be called
    /// every [`PEER_SYNC_INTERVAL`]. Does nothing on SQLite.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn sync_with_peers(&self) -> Result<(), StoreError> {
        match &self.inner.coherence {
            Coherence::Alone => Ok(()),
            Coherence::Cluster(cluster) => self.sync(cluster).await,
        }
    }
}
