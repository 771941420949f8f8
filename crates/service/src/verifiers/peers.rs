//! The other servers on the same PostgreSQL database: what they change, and whether they give
//! leases of their own.
//!
//! A server tells its verifiers of every server's changes: before it answers a poll, it reads the
//! log of changes, and does so after the poll came in. A lease counts from when the poll was sent;
//! so whoever has changed something and then waits for one whole lease knows that no verifier of
//! another server still rests on what was before.
//!
//! Nobody needs to wait for servers that give no leases. Those that do are on a list in the
//! database, and raise their beat there.
//!
//! **Invariant:** a server is on the list before it reads the log for a poll, and still when it
//! answers it. Whoever changes something and then reads the list either finds it there, or is
//! found in the log.
//!
//! **Invariant:** a server gives a lease only while the last beat that it knows to be written was
//! begun less than [`BEAT_HOLDS`] ago. Another takes it off the list only after it has watched the
//! beat stand still for as long and the longest lease more, by its own clock. No clock is compared
//! with another's.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use keyward_domain::Moment;
use keyward_storage::verifiers::{self as log, ChangeLogRead, Snapshot};
use keyward_storage::{Conn, Lane, StoreError};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::Service;
use crate::cache::Touched;

/// How long a beat lets a server give leases.
const BEAT_HOLDS: Duration = Duration::from_secs(3);

/// How often [`Service::keep_up_with_peers`] is to be called: often enough that one beat may fail.
pub const KEEP_UP_EVERY: Duration = Duration::from_secs(1);

/// How long changes stay in the log. Each server reads it every second.
const LOG_KEPT: Duration = Duration::from_secs(60);

/// What a server knows of the others on its database. On SQLite there are none.
#[derive(Debug)]
pub(crate) struct Peers {
    seen: Mutex<Seen>,
    listing: Mutex<()>,
    beats: AtomicI64,
    listed: std::sync::Mutex<Listed>,
}

/// Whether this server is on the list.
#[derive(Debug, Default)]
struct Listed {
    /// How often it came onto it.
    times: u64,
    /// Until when its last beat lets it give leases; none while it is not on it.
    until: Option<Moment>,
}

/// An unbroken stay on the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stay(u64);

#[derive(Debug)]
struct Seen {
    /// Where the log was read up to.
    snapshot: Option<Snapshot>,
    /// When the last look began.
    looked: Option<Instant>,
    longest_lease: Duration,
    /// Each other server's beat, and since when it has been this one.
    beats: HashMap<Uuid, (i64, Moment)>,
    /// From where on the log is kept at the next trim, and when that is due.
    trim: Option<(Snapshot, Instant)>,
}

impl Peers {
    /// `longest_lease` is what the database knew at the start.
    pub(crate) fn new(longest_lease: Duration) -> Self {
        let seen = Seen { snapshot: None, looked: None, longest_lease, beats: HashMap::new(), trim: None };
        let listed = std::sync::Mutex::default();
        Self { seen: Mutex::new(seen), listing: Mutex::default(), beats: AtomicI64::new(0), listed }
    }

    /// The present stay on the list, if this server may give leases now.
    pub(crate) fn stay(&self) -> Option<Stay> {
        let listed = self.listed();
        listed.until.is_some_and(|until| Moment::now() < until).then_some(Stay(listed.times))
    }

    /// Takes in that a beat was written, which was begun when the list said what `before` is.
    fn beaten(&self, until: Moment, before: Option<Stay>) {
        let mut listed = self.listed();
        if before.is_none() {
            listed.times += 1;
        }
        listed.until = Some(until);
    }

    fn listed(&self) -> MutexGuard<'_, Listed> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// Takes in who gives leases.
    fn observe(&mut self, heard: &ChangeLogRead, own: Uuid) {
        let now = Moment::now();
        let known = std::mem::take(&mut self.beats);
        let others = heard.servers.iter().filter(|(id, _)| *id != own);
        self.beats = others
            .map(|&(id, beat)| {
                let since = known.get(&id).filter(|(last, _)| *last == beat).map_or(now, |&(_, since)| since);
                (id, (beat, since))
            })
            .collect();
        let longest = heard.longest_lease.and_then(|millis| u64::try_from(millis).ok()).map(Duration::from_millis);
        self.longest_lease = self.longest_lease.max(longest.unwrap_or_default());
    }

    /// For how long leases of others may still run, if there are any.
    fn leases_of_others(&self) -> Option<Duration> {
        let gone = self.gone();
        self.beats.keys().any(|id| !gone.contains_key(id)).then_some(self.longest_lease)
    }

    /// Servers whose beat has stood still for too long to have a lease out, each with that beat.
    fn gone(&self) -> HashMap<Uuid, i64> {
        let now = Moment::now();
        let still = |since: Moment| now.since(since) > BEAT_HOLDS + self.longest_lease;
        self.beats.iter().filter(|(_, (_, since))| still(*since)).map(|(&id, &(beat, _))| (id, beat)).collect()
    }
}

impl Service {
    /// Reads what was changed through any server, and numbers it for the verifiers of this one. A
    /// look that somebody else began after `asked` serves as well. Answers for how long leases that
    /// other servers gave may run from now, if any give some.
    pub(crate) async fn hear_peers(&self, asked: Instant) -> Result<Option<Duration>, StoreError> {
        let mut seen = self.inner.peers.seen.lock().await;
        if seen.looked.is_some_and(|looked| looked >= asked) {
            return Ok(seen.leases_of_others());
        }
        let (began, last) = (Instant::now(), seen.snapshot.clone());
        let heard = self.inner.store.read(Lane::ChangeLog, move |conn| log::hear(conn, last.as_ref())).await?;
        let Some(heard) = heard else { return Ok(None) };
        // From here on without waiting, so that nobody who gives up can lose what was heard.
        let verifiers = &self.inner.verifiers;
        match &heard.keys {
            Some(keys) => {
                for id in keys {
                    verifiers.record(&Touched::Key(id.clone()));
                }
            }
            None => {
                verifiers.record(&Touched::Everything);
            }
        }
        seen.observe(&heard, verifiers.start());
        seen.looked = Some(began);
        seen.snapshot = Some(heard.snapshot);
        Ok(seen.leases_of_others())
    }

    /// Like [`Service::hear_peers`] after a change of one's own. When the log cannot be read, the
    /// verifiers of this server are told to forget everything, and those of others are waited for.
    pub(crate) async fn hear_peers_after_change(&self) -> Option<Duration> {
        match self.hear_peers(Instant::now()).await {
            Ok(leases) => leases,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the log of changes could not be read");
                self.inner.verifiers.record(&Touched::Everything);
                let longest = self.inner.peers.seen.lock().await.longest_lease;
                Some(longest.max(self.inner.verifiers.lease()))
            }
        }
    }

    /// The stay on the list of those that give leases; begins one if there is none.
    pub(crate) async fn be_listed(&self) -> Result<Option<Stay>, StoreError> {
        if self.inner.peers.stay().is_none() {
            let _turn = self.inner.peers.listing.lock().await;
            // Somebody else may have seen to it meanwhile.
            if self.inner.peers.stay().is_none() {
                self.beat().await?;
            }
        }
        Ok(self.inner.peers.stay())
    }

    /// Raises the beat. Whoever calls this holds `listing`, so that beats and the end of a stay come
    /// one after the other.
    async fn beat(&self) -> Result<(), StoreError> {
        let peers = &self.inner.peers;
        let (own, lease) = (self.inner.verifiers.start(), self.inner.verifiers.lease_millis());
        let beat = peers.beats.fetch_add(1, Ordering::Relaxed) + 1;
        let (before, until) = (peers.stay(), Moment::now().after(BEAT_HOLDS));
        let work = move |conn: &mut Conn<'_>| {
            log::note_lease(conn, lease)?;
            log::beat(conn, own, beat)
        };
        self.inner.store.write(Lane::ChangeLog, work, || {}).await?;
        peers.beaten(until, before);
        Ok(())
    }

    /// Leaves the list if no verifier of this server can have a lease.
    async fn leave_unless_needed(&self) -> Result<bool, StoreError> {
        let peers = &self.inner.peers;
        // Decided and done in one step, beside which no lease is given.
        let left = self.inner.verifiers.if_there_are_none(|| peers.listed().until.take());
        let Some(until) = left else { return Ok(false) };
        if until.is_some() {
            let (own, beat) = (self.inner.verifiers.start(), peers.beats.load(Ordering::Relaxed));
            self.inner.store.write(Lane::ChangeLog, move |conn| log::forget_server(conn, own, beat), || {}).await?;
        }
        Ok(true)
    }

    /// Keeps up with the other servers on the database: hears of their changes, stays on the list
    /// of those that give leases as long as there are verifiers, and takes those off it that are
    /// gone. To be called every [`KEEP_UP_EVERY`]. Nothing to do on SQLite.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_up_with_peers(&self) -> Result<(), StoreError> {
        if self.inner.store.is_exclusive() {
            return Ok(());
        }
        self.hear_peers(Instant::now()).await?;
        let peers = &self.inner.peers;
        {
            let _turn = peers.listing.lock().await;
            if !self.leave_unless_needed().await? {
                self.beat().await?;
            }
        }
        let (gone, trim) = {
            let mut seen = peers.seen.lock().await;
            (seen.gone(), seen.due_trim())
        };
        if gone.is_empty() && trim.is_none() {
            return Ok(());
        }
        let work = move |conn: &mut Conn<'_>| {
            gone.iter().try_for_each(|(&id, &beat)| log::forget_server(conn, id, beat))?;
            trim.as_ref().map_or(Ok(()), |before| log::trim(conn, before))
        };
        self.inner.store.write(Lane::ChangeLog, work, || {}).await
    }
}

impl Seen {
    /// The moment before which the log can go, once in a while.
    fn due_trim(&mut self) -> Option<Snapshot> {
        let snapshot = self.snapshot.clone()?;
        let now = Instant::now();
        match &self.trim {
            Some((_, due)) if now < *due => None,
            Some(_) | None => self.trim.replace((snapshot, now + LOG_KEPT)).map(|(before, _)| before),
        }
    }
}
