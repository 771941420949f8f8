//! Coherence of one of several servers on a PostgreSQL database: the changes of the other servers, and
//! their leases.
//!
//! A server tells its verifiers what every server changed: between receiving a poll and answering it,
//! the server reads the change log. A lease counts from when the verifier sent the poll. So if a server
//! commits a change and then waits for one whole lease, no verifier of another server still uses the
//! old state.
//!
//! A server need not wait for servers that grant no leases. A server that grants leases is registered
//! in the database and renews its registration by a heartbeat.
//!
//! **Invariant:** a server is registered from before it reads the change log for a poll until it
//! answers the poll. If another server commits a change and then reads the list of servers, either it
//! finds this server in the list, or this server finds the change in the log.
//!
//! **Invariant:** a server grants leases only for [`HEARTBEAT_TTL`] after it started to write its last
//! successful heartbeat. Another server deregisters it only after the heartbeat has not changed for
//! [`HEARTBEAT_TTL`] plus the longest lease, by the clock of that other server. Clocks of two machines
//! are never compared.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use keyward_domain::Moment;
use keyward_storage::verifiers::{self as log, ChangeLogRead, Snapshot};
use keyward_storage::{Lane, StoreError, Tx};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::Service;

/// How long after a heartbeat a server may grant leases.
const HEARTBEAT_TTL: Duration = Duration::from_secs(3);

/// The interval for calling [`Service::sync_with_peers`]: short enough that one heartbeat may fail.
pub const PEER_SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// How long changes stay in the change log. Each server reads the log every second.
const CHANGE_LOG_RETENTION: Duration = Duration::from_secs(60);

/// The state that this server has about the other servers on its database.
#[derive(Debug)]
pub(crate) struct Cluster {
    peers: Mutex<PeerState>,
    /// Held while this server registers, renews its registration or deregisters.
    registering: Mutex<()>,
    /// The number of the last heartbeat.
    heartbeats: AtomicI64,
    registered: std::sync::Mutex<RegistrationState>,
}

/// Whether this server is registered to grant leases.
#[derive(Debug, Default)]
struct RegistrationState {
    /// The number of registrations so far.
    count: u64,
    /// When the last heartbeat expires; none while this server is not registered.
    until: Option<Moment>,
}

/// A registration without interruption, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Registration(u64);

#[derive(Debug)]
struct PeerState {
    /// The snapshot of the last read of the change log.
    snapshot: Option<Snapshot>,
    /// When the last read began.
    read_at: Option<Instant>,
    longest_lease: Duration,
    /// The last heartbeat of each other server, and when this server first saw it.
    heartbeats: HashMap<Uuid, (i64, Moment)>,
    /// The next trim of the change log: it removes entries from before this snapshot, at this time.
    trim: Option<(Snapshot, Instant)>,
}

impl Cluster {
    /// `longest_lease` is the longest lease in the database at the start of the server.
    pub(super) fn new(longest_lease: Duration) -> Self {
        let peers = PeerState { snapshot: None, read_at: None, longest_lease, heartbeats: HashMap::new(), trim: None };
        Self {
            peers: Mutex::new(peers),
            registering: Mutex::default(),
            heartbeats: AtomicI64::new(0),
            registered: std::sync::Mutex::default(),
        }
    }

    /// The current registration, if this server may grant leases now.
    pub(super) fn registration(&self) -> Option<Registration> {
        let state = self.registered();
        state.until.is_some_and(|until| Moment::now() < until).then_some(Registration(state.count))
    }

    /// Records a heartbeat that expires at `until` and whose write started under registration `before`.
    fn record_heartbeat(&self, until: Moment, before: Option<Registration>) {
        let mut state = self.registered();
        if before.is_none() {
            state.count += 1;
        }
        state.until = Some(until);
    }

    fn registered(&self) -> MutexGuard<'_, RegistrationState> {
        self.registered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PeerState {
    /// Records the registered servers and their heartbeats.
    fn observe(&mut self, read: &ChangeLogRead, own: Uuid) {
        let now = Moment::now();
        let known = std::mem::take(&mut self.heartbeats);
        let others = read.servers.iter().filter(|(id, _)| *id != own);
        self.heartbeats = others
            .map(|&(id, heartbeat)| {
                let since = known.get(&id).filter(|(last, _)| *last == heartbeat).map_or(now, |&(_, since)| since);
                (id, (heartbeat, since))
            })
            .collect();
        let longest = read.longest_lease.and_then(|millis| u64::try_from(millis).ok()).map(Duration::from_millis);
        self.longest_lease = self.longest_lease.max(longest.unwrap_or_default());
    }

    /// How long leases of other servers may still last; none if no other server grants any.
    fn leases_of_others(&self) -> Option<Duration> {
        let lapsed = self.lapsed_servers();
        self.heartbeats.keys().any(|id| !lapsed.contains_key(id)).then_some(self.longest_lease)
    }

    /// Servers whose heartbeat has not changed for so long that all their leases have expired, each with
    /// its last heartbeat.
    fn lapsed_servers(&self) -> HashMap<Uuid, i64> {
        let now = Moment::now();
        let lapsed = |since: Moment| now.since(since) > HEARTBEAT_TTL + self.longest_lease;
        self.heartbeats.iter().filter(|(_, (_, since))| lapsed(*since)).map(|(&id, &(last, _))| (id, last)).collect()
    }

    /// The snapshot before which the change log can be removed, if a trim is due.
    fn due_trim(&mut self) -> Option<Snapshot> {
        let snapshot = self.snapshot.clone()?;
        let now = Instant::now();
        match &self.trim {
            Some((_, due)) if now < *due => None,
            Some(_) | None => self.trim.replace((snapshot, now + CHANGE_LOG_RETENTION)).map(|(before, _)| before),
        }
    }
}

impl Service {
    /// Reads the changes of all servers and numbers them for this server's verifiers. Does nothing if
    /// another read started after `asked`. Returns how long leases of other servers may still last from
    /// now; none if no other server grants any.
    pub(super) async fn read_peers(&self, cluster: &Cluster, asked: Instant) -> Result<Option<Duration>, StoreError> {
        let mut peers = cluster.peers.lock().await;
        if peers.read_at.is_some_and(|read_at| read_at >= asked) {
            return Ok(peers.leases_of_others());
        }
        let (began, last) = (Instant::now(), peers.snapshot.clone());
        let read =
            self.inner.store.read(Lane::ChangeLog, move |conn| log::read_change_log(conn, last.as_ref())).await?;
        let Some(read) = read else { return Ok(None) };
        // No await from here on, so that a dropped request cannot lose the changes that were read.
        let verifiers = &self.inner.verifiers;
        match &read.changes {
            Some(changes) => verifiers.record(changes),
            None => verifiers.record_everything(),
        };
        peers.observe(&read, verifiers.start());
        peers.read_at = Some(began);
        peers.snapshot = Some(read.snapshot);
        Ok(peers.leases_of_others())
    }

    /// Like [`Service::read_peers`], after a change of this server. If the change log cannot be read, it
    /// tells this server's verifiers to clear their caches and assumes that other servers grant leases.
    pub(super) async fn read_peers_after_change(&self, cluster: &Cluster) -> Option<Duration> {
        match self.read_peers(cluster, Instant::now()).await {
            Ok(leases) => leases,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "cannot read the change log; waiting for all leases"
                );
                self.inner.verifiers.record_everything();
                let longest = cluster.peers.lock().await.longest_lease;
                Some(longest.max(self.inner.verifiers.lease()))
            }
        }
    }

    /// Registers this server to grant leases, unless it is already registered. Returns the registration.
    pub(super) async fn register(&self, cluster: &Cluster) -> Result<Option<Registration>, StoreError> {
        if cluster.registration().is_none() {
            let _turn = cluster.registering.lock().await;
            // Another request may have registered the server meanwhile.
            if cluster.registration().is_none() {
                self.write_heartbeat(cluster).await?;
            }
        }
        Ok(cluster.registration())
    }

    /// Writes a heartbeat. The caller holds `registering`, so that heartbeats and deregistration do not
    /// overlap.
    async fn write_heartbeat(&self, cluster: &Cluster) -> Result<(), StoreError> {
        let (own, lease) = (self.inner.verifiers.start(), self.inner.verifiers.lease_millis());
        let heartbeat = cluster.heartbeats.fetch_add(1, Ordering::Relaxed) + 1;
        let (before, until) = (cluster.registration(), Moment::now().after(HEARTBEAT_TTL));
        let work = move |tx: &mut Tx<'_>| {
            log::note_lease(tx, lease)?;
            log::record_heartbeat(tx, own, heartbeat)
        };
        self.inner.store.write(Lane::ChangeLog, work, |_| ()).await?;
        cluster.record_heartbeat(until, before);
        Ok(())
    }

    /// Deregisters this server if none of its verifiers can hold a lease. Returns whether none can.
    async fn deregister_if_idle(&self, cluster: &Cluster) -> Result<bool, StoreError> {
        // One atomic step: no lease can be granted between the check and the end of the registration.
        let ended = self.inner.verifiers.if_no_lease_active(|| cluster.registered().until.take());
        let Some(until) = ended else { return Ok(false) };
        if until.is_some() {
            let (own, last) = (self.inner.verifiers.start(), cluster.heartbeats.load(Ordering::Relaxed));
            let work = move |tx: &mut Tx<'_>| log::deregister(tx, own, last);
            self.inner.store.write(Lane::ChangeLog, work, |_| ()).await?;
        }
        Ok(true)
    }

    /// See [`Service::sync_with_peers`].
    pub(super) async fn sync(&self, cluster: &Cluster) -> Result<(), StoreError> {
        self.read_peers(cluster, Instant::now()).await?;
        {
            let _turn = cluster.registering.lock().await;
            if !self.deregister_if_idle(cluster).await? {
                self.write_heartbeat(cluster).await?;
            }
        }
        let (lapsed, trim) = {
            let mut peers = cluster.peers.lock().await;
            (peers.lapsed_servers(), peers.due_trim())
        };
        if lapsed.is_empty() && trim.is_none() {
            return Ok(());
        }
        let work = move |tx: &mut Tx<'_>| {
            lapsed.iter().try_for_each(|(&id, &last)| log::deregister(tx, id, last))?;
            trim.as_ref().map_or(Ok(()), |before| log::trim(tx, before))
        };
        self.inner.store.write(Lane::ChangeLog, work, |_| ()).await
    }
}
