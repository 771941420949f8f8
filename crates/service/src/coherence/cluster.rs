//! One of several servers on a PostgreSQL database: what the others change, and whether they give
//! leases.
//!
//! A server tells its verifiers what every server changed: after a poll came in, and before it
//! answers, it reads the change log. A lease counts from when the poll was sent. So a server that has
//! changed something and then waits for one whole lease knows that no verifier of another server
//! relies on what was before.
//!
//! Nobody needs to wait for servers that give no leases. Those that do are registered in the
//! database, and renew that by a heartbeat.
//!
//! **Invariant:** a server is registered before it reads the change log for a poll, and still when it
//! answers. A server that changes something and then reads who is registered either finds the other
//! there, or the other finds the change in the log.
//!
//! **Invariant:** a server gives a lease only for [`HEARTBEAT_TTL`] after it began to write the last
//! heartbeat that it knows to be written. Another server deregisters it only after it has watched the
//! heartbeat stand still for as long and the longest lease more, by its own clock. No clock is
//! compared with another's.

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

/// For how long after a heartbeat a server may give leases.
const HEARTBEAT_TTL: Duration = Duration::from_secs(3);

/// How often [`Service::sync_with_peers`] is to be called: often enough that one heartbeat may fail.
pub const PEER_SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// How long changes stay in the change log. Each server reads it every second.
const CHANGE_LOG_RETENTION: Duration = Duration::from_secs(60);

/// What this server knows of the others on its database.
#[derive(Debug)]
pub(crate) struct Cluster {
    peers: Mutex<PeerState>,
    /// Held while this server registers, renews its registration or ends it.
    registering: Mutex<()>,
    /// The number of the last heartbeat.
    heartbeats: AtomicI64,
    registered: std::sync::Mutex<RegistrationState>,
}

/// Whether this server is registered as one that gives leases.
#[derive(Debug, Default)]
struct RegistrationState {
    /// How many registrations there have been.
    count: u64,
    /// When the last heartbeat runs out; none while this server is not registered.
    until: Option<Moment>,
}

/// An unbroken registration, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Registration(u64);

#[derive(Debug)]
struct PeerState {
    /// Up to where the change log was read.
    snapshot: Option<Snapshot>,
    /// When the last read began.
    read_at: Option<Instant>,
    longest_lease: Duration,
    /// Each other server's last heartbeat, and when this server first saw it.
    heartbeats: HashMap<Uuid, (i64, Moment)>,
    /// From where on the change log is kept at the next trim, and when that trim is due.
    trim: Option<(Snapshot, Instant)>,
}

impl Cluster {
    /// `longest_lease` is what the database knew at the start.
    pub(super) fn new(longest_lease: Duration) -> Self {
        let peers = PeerState { snapshot: None, read_at: None, longest_lease, heartbeats: HashMap::new(), trim: None };
        Self {
            peers: Mutex::new(peers),
            registering: Mutex::default(),
            heartbeats: AtomicI64::new(0),
            registered: std::sync::Mutex::default(),
        }
    }

    /// The present registration, if this server may give leases now.
    pub(super) fn registration(&self) -> Option<Registration> {
        let state = self.registered();
        state.until.is_some_and(|until| Moment::now() < until).then_some(Registration(state.count))
    }

    /// Records a heartbeat whose write started under registration `before`, and which runs out at
    /// `until`.
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
    /// Records which servers give leases.
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

    /// For how long leases that other servers gave may still run; none if no other server gives any.
    fn leases_of_others(&self) -> Option<Duration> {
        let gone = self.gone();
        self.heartbeats.keys().any(|id| !gone.contains_key(id)).then_some(self.longest_lease)
    }

    /// Servers whose heartbeat has stood still for so long that all their leases have run out, each
    /// with that heartbeat.
    fn gone(&self) -> HashMap<Uuid, i64> {
        let now = Moment::now();
        let still = |since: Moment| now.since(since) > HEARTBEAT_TTL + self.longest_lease;
        self.heartbeats.iter().filter(|(_, (_, since))| still(*since)).map(|(&id, &(last, _))| (id, last)).collect()
    }

    /// The moment before which the change log can go, if a trim is due.
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
    /// Reads what was changed through any server, and numbers it for the verifiers of this one. A
    /// read that began after `asked` serves as well. Answers for how long leases that other servers
    /// gave may run from now; none if no other server gives any.
    pub(super) async fn read_peers(&self, cluster: &Cluster, asked: Instant) -> Result<Option<Duration>, StoreError> {
        let mut peers = cluster.peers.lock().await;
        if peers.read_at.is_some_and(|read_at| read_at >= asked) {
            return Ok(peers.leases_of_others());
        }
        let (began, last) = (Instant::now(), peers.snapshot.clone());
        let read =
            self.inner.store.read(Lane::ChangeLog, move |conn| log::read_change_log(conn, last.as_ref())).await?;
        let Some(read) = read else { return Ok(None) };
        // From here on without waiting, so that a request that is given up cannot lose what was read.
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

    /// Like [`Service::read_peers`], after this server's own change. When the change log cannot be
    /// read, this server's verifiers are told to clear their caches, and those of others are waited
    /// for.
    pub(super) async fn read_peers_after_change(&self, cluster: &Cluster) -> Option<Duration> {
        match self.read_peers(cluster, Instant::now()).await {
            Ok(leases) => leases,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the change log could not be read");
                self.inner.verifiers.record_everything();
                let longest = cluster.peers.lock().await.longest_lease;
                Some(longest.max(self.inner.verifiers.lease()))
            }
        }
    }

    /// Registers this server as one that gives leases, unless it is. Answers the registration.
    pub(super) async fn register(&self, cluster: &Cluster) -> Result<Option<Registration>, StoreError> {
        if cluster.registration().is_none() {
            let _turn = cluster.registering.lock().await;
            // Another request may have registered it meanwhile.
            if cluster.registration().is_none() {
                self.write_heartbeat(cluster).await?;
            }
        }
        Ok(cluster.registration())
    }

    /// Writes a heartbeat. The caller holds `registering`, so that heartbeats and the end of a
    /// registration come one after the other.
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

    /// Ends the registration if no verifier of this server can have a lease. Answers whether none can.
    async fn deregister_if_idle(&self, cluster: &Cluster) -> Result<bool, StoreError> {
        // Decided and done in one step, beside which no lease is given.
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
        let (gone, trim) = {
            let mut peers = cluster.peers.lock().await;
            (peers.gone(), peers.due_trim())
        };
        if gone.is_empty() && trim.is_none() {
            return Ok(());
        }
        let work = move |tx: &mut Tx<'_>| {
            gone.iter().try_for_each(|(&id, &last)| log::deregister(tx, id, last))?;
            trim.as_ref().map_or(Ok(()), |before| log::trim(tx, before))
        };
        self.inner.store.write(Lane::ChangeLog, work, |_| ()).await
    }
}
