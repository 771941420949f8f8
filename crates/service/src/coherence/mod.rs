//! What must be true between this process and everybody else who remembers keys, and the way that
//! every change takes: commit, evict, tell, wait, answer.
//!
//! [`alone`] is one server on SQLite, which has a cache of its own. [`cluster`] is one of several on
//! PostgreSQL, which has none. This is the only place that tells the two apart.

mod alone;
mod cluster;

pub use cluster::PEER_SYNC_INTERVAL;

use std::time::{Duration, Instant};

use keyward_storage::{Lane, Outcome, Store, StoreError, Tx};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::Service;
use crate::verifiers::Barrier;
use cluster::{Cluster, Registration};

/// Whether this server has the database to itself.
#[derive(Debug)]
pub(crate) enum Coherence {
    /// Yes: SQLite.
    Alone,
    /// No: PostgreSQL. What is known of the other servers.
    Cluster(Box<Cluster>),
}

/// What is left to do after a COMMIT before it can be answered.
#[derive(Clone, Copy, Debug)]
enum After {
    /// Nothing.
    Nothing,
    /// To wait until nobody relies on what was before the change of this number.
    Wait {
        /// The number of the change, where this server numbers it itself.
        number: u64,
        /// When it was committed, or shortly after.
        committed: Instant,
    },
}

/// That a verifier may be given a lease, if it still holds when the answer is made.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MayLease {
    Always,
    WhileRegistered(Option<Registration>),
}

impl Coherence {
    /// `longest_lease` is the longest that the database knows of.
    pub(crate) fn of(store: &Store, longest_lease: Option<Duration>) -> Self {
        if store.is_exclusive() {
            Self::Alone
        } else {
            Self::Cluster(Box::new(Cluster::new(longest_lease.unwrap_or_default())))
        }
    }

    /// Whether keys may be remembered in this process.
    pub(crate) fn may_cache(&self) -> bool {
        matches!(self, Self::Alone)
    }

    /// For how long leases may run that a server before this one gave, and that nothing else tells
    /// of. In a cluster, who gives leases is registered in the database.
    pub(crate) fn unknown_leases(&self, longest_lease: Option<Duration>) -> Option<Duration> {
        match self {
            Self::Alone => longest_lease,
            Self::Cluster(_) => None,
        }
    }
}

impl Service {
    /// Runs a change as one transaction, and waits until it is true everywhere. What it really
    /// changed is evicted, and numbered for the verifiers, as soon as the transaction has ended, on
    /// the thread that ran it: a request that is given up cannot leave a dead key behind. Only the
    /// waiting can be given up.
    pub(crate) async fn change<T, E, F>(&self, lane: Lane, work: F) -> Result<T, E>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.change_and_report(lane, work).await.map(|(done, _)| done)
    }

    /// Like [`Service::change`], and tells how the verifiers took it up.
    pub(crate) async fn change_and_report<T, E, F>(&self, lane: Lane, work: F) -> Result<(T, Barrier), E>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let service = self.clone();
        let (tell, told) = oneshot::channel();
        let ended = move |outcome: &Outcome| {
            // Nobody waits for it any more if the request was given up.
            let _received = tell.send(service.ended(outcome));
        };
        let done = self.inner.store.write(lane, work, ended).await?;
        let barrier = match told.await {
            Ok(After::Wait { number, committed }) => self.wait(number, committed).await,
            Ok(After::Nothing) | Err(_) => Barrier::default(),
        };
        Ok((done, barrier))
    }

    /// Evicts what a transaction changed, and tells the verifiers. On the transaction's thread.
    fn ended(&self, outcome: &Outcome) -> After {
        let committed = Instant::now();
        let number = match &self.inner.coherence {
            Coherence::Alone => self.evict_and_number(outcome),
            // The database logs what verifiers must be told, in the same transaction, and nothing is
            // cached: a request that is given up leaves nothing undone.
            Coherence::Cluster(_) => 0,
        };
        match outcome {
            Outcome::Committed(changes) if changes.promises_end => After::Wait { number, committed },
            Outcome::Committed(_) | Outcome::RolledBack | Outcome::Unknown => After::Nothing,
        }
    }

    /// Waits until nobody relies on what was before a change.
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

    /// To be called before a key is judged by what is cached.
    pub(crate) async fn before_use(&self) {
        match &self.inner.coherence {
            Coherence::Alone => self.check_external_writes().await,
            Coherence::Cluster(_) => {}
        }
    }

    /// To be called before a verifier is told facts: what others changed until now is known then.
    pub(crate) async fn before_look_up(&self) -> Result<(), StoreError> {
        match &self.inner.coherence {
            Coherence::Alone => self.check_external_writes().await,
            Coherence::Cluster(cluster) => {
                self.read_peers(cluster, Instant::now()).await?;
            }
        }
        Ok(())
    }

    /// To be called when a verifier's poll has come in, before it is answered: what others changed
    /// until now is known then, and this server is known as one that gives leases. `start` is the
    /// server's start that the verifier last heard of.
    pub(crate) async fn before_poll(&self, start: Option<Uuid>) -> Result<MayLease, StoreError> {
        let may_lease = match &self.inner.coherence {
            Coherence::Alone => {
                if start != Some(self.inner.verifiers.start()) {
                    self.store_lease().await?;
                }
                MayLease::Always
            }
            // Registered first, and then the log is read: see `cluster`.
            Coherence::Cluster(cluster) => MayLease::WhileRegistered(self.register(cluster).await?),
        };
        self.before_look_up().await?;
        Ok(may_lease)
    }

    /// Whether a lease may still be given.
    pub(crate) fn may_lease(&self, may_lease: MayLease) -> bool {
        match (may_lease, &self.inner.coherence) {
            (MayLease::Always, _) => true,
            (MayLease::WhileRegistered(registration), Coherence::Cluster(cluster)) => {
                registration.is_some() && registration == cluster.registration()
            }
            (MayLease::WhileRegistered(_), Coherence::Alone) => false,
        }
    }

    /// Keeps up with the other servers on the database: reads what they changed, stays registered
    /// while there are verifiers, and takes servers off the list that are gone. To be called every
    /// [`PEER_SYNC_INTERVAL`]. Nothing to do on SQLite.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sync_with_peers(&self) -> Result<(), StoreError> {
        match &self.inner.coherence {
            Coherence::Alone => Ok(()),
            Coherence::Cluster(cluster) => self.sync(cluster).await,
        }
    }
}
