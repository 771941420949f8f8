//! The connected embedded verifiers, and the barrier: a change waits there until no verifier can still
//! accept the keys that it ended.
//!
//! A verifier may use its cache only for one lease after it *sent* its last answered poll. The server
//! counts the lease from when it *answered* the poll, which is later. So a change succeeds as soon as
//! every verifier has either acknowledged the change or let its lease expire: a verifier that hangs,
//! is cut off or has stopped accepts nothing after that.
//!
//! **Invariant:** one lock protects both the numbering of a change and the making of an answer, with
//! the start of its lease. An answer made after a change was numbered contains the change; the barrier
//! waits for the leases of answers made before.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use keyward_domain::{KeyId, Timestamp, UserId};
use keyward_storage::Changes;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

/// Maximum number of stored changes. A verifier that is further behind must clear its cache.
const MOST_CHANGES: usize = 4_096;

/// Maximum number of connected verifiers. Further verifiers get no lease and may not cache.
const MOST_VERIFIERS: usize = 10_000;

/// The result of waiting for the verifiers after a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Barrier {
    /// The number of verifiers that acknowledged the change.
    pub confirmed: usize,
    /// The number of verifiers that did not, and whose lease expired.
    pub lapsed: usize,
    /// The duration of the wait.
    pub waited: Duration,
    /// Each of these verifiers, sorted by name.
    pub(crate) seen: Vec<Seen>,
}

/// A verifier that a barrier has waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub id: Uuid,
    pub name: String,
    /// When it was seen to have acknowledged the change; none if its lease expired.
    pub confirmed: Option<Instant>,
}

/// The answer to a verifier's poll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollReply {
    /// The id of this server's start.
    pub start: Uuid,
    /// How long the verifier may use its cache, counted from when it sent the poll.
    pub lease: Duration,
    /// The number of the last change in this answer.
    pub change: u64,
    /// Whether the verifier must clear its cache.
    pub reset: bool,
    /// Keys to evict.
    pub keys: Vec<KeyId>,
    /// Users whose keys must all be evicted.
    pub users: Vec<UserId>,
}

/// A connected verifier.
#[derive(Clone, Debug)]
pub struct Connected {
    /// The verifier's id.
    pub id: Uuid,
    /// The name that the verifier gave.
    pub name: String,
    /// When it connected.
    pub since: Timestamp,
    /// The number of changes that it has not acknowledged.
    pub lag: u64,
    /// The time since the last answer to it.
    pub answered: Duration,
}

/// The registry of connected verifiers.
#[derive(Debug)]
pub(crate) struct Verifiers {
    start: Uuid,
    lease: Duration,
    /// Latest expiry of leases granted by a previous server.
    unknown_until: Option<Instant>,
    state: Mutex<State>,
    /// The number of the last change; `u64::MAX` after shutdown, which wakes all waiting polls.
    latest: watch::Sender<u64>,
    acknowledged: Notify,
}

/// A change as stored for the verifiers.
#[derive(Clone, Debug)]
enum Change {
    Key(KeyId),
    User(UserId),
    Anything,
}

#[derive(Debug, Default)]
struct State {
    latest: u64,
    /// The last changes, oldest first; the last one has the number `latest`.
    changes: VecDeque<Change>,
    verifiers: HashMap<Uuid, VerifierState>,
    closing: bool,
}

impl State {
    /// Removes verifiers whose lease expired long ago. If one returns, it must clear its cache.
    fn remove_lapsed(&mut self, lease: Duration) {
        self.verifiers.retain(|_, verifier| verifier.answered.elapsed() < lease * 10);
    }
}

#[derive(Debug)]
struct VerifierState {
    name: String,
    since: Timestamp,
    acknowledged: u64,
    /// When the last poll was answered. The server counts the lease from here.
    answered: Instant,
}

impl Verifiers {
    /// `stored` is the longest lease that a previous server may have granted.
    pub(crate) fn new(lease: Duration, stored: Option<Duration>) -> Self {
        Self {
            start: Uuid::now_v7(),
            lease,
            unknown_until: stored.and_then(|stored| Instant::now().checked_add(stored)),
            state: Mutex::default(),
            latest: watch::Sender::new(0),
            acknowledged: Notify::new(),
        }
    }

    pub(crate) fn start(&self) -> Uuid {
        self.start
    }

    pub(crate) fn lease(&self) -> Duration {
        self.lease
    }

    /// The lease in whole milliseconds, as stored.
    pub(crate) fn lease_millis(&self) -> i64 {
        i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX)
    }

    /// Runs `work` if no verifier of this server can hold a lease, and blocks new leases meanwhile; none
    /// if a verifier can.
    pub(crate) fn if_no_lease_active<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let mut state = self.state();
        state.remove_lapsed(self.lease);
        state.verifiers.is_empty().then(work)
    }

    /// The number of the last change. Read it before reading facts.
    pub(crate) fn latest(&self) -> u64 {
        self.state().latest
    }

    /// Numbers the changes of a transaction, if there are any. Returns the last number. Called right
    /// after the transaction, on its thread.
    pub(crate) fn record(&self, changes: &Changes) -> u64 {
        let keys = changes.keys.iter().cloned().map(Change::Key);
        let users = changes.users.iter().copied().map(Change::User);
        self.number(keys.chain(users))
    }

    /// Numbers a change that may affect anything. Returns its number.
    pub(crate) fn record_everything(&self) -> u64 {
        self.number(std::iter::once(Change::Anything))
    }

    fn number(&self, changes: impl Iterator<Item = Change>) -> u64 {
        let mut state = self.state();
        let before = state.latest;
        for change in changes {
            state.latest += 1;
            state.changes.push_back(change);
            if state.changes.len() > MOST_CHANGES {
                state.changes.pop_front();
            }
        }
        let latest = state.latest;
        drop(state);
        if latest > before {
            self.latest.send_replace(latest);
        }
        latest
    }

    /// Answers a poll: at once if there are changes, or else when there is one or the lease must be
    /// renewed. `may_lease` is called when the answer is made; if it returns false, the verifier may not
    /// cache.
    pub(crate) async fn poll(
        &self,
        id: Uuid,
        name: &str,
        start: Option<Uuid>,
        acknowledged: u64,
        now: Timestamp,
        may_lease: impl FnOnce() -> bool,
    ) -> PollReply {
        let mut latest = self.latest.subscribe();
        let up_to_date = {
            let mut state = self.state();
            let current = start == Some(self.start);
            let behind = acknowledged < state.latest || state.closing;
            match state.verifiers.get_mut(&id).filter(|_| current) {
                Some(verifier) => {
                    verifier.acknowledged = verifier.acknowledged.max(acknowledged);
                    !behind
                }
                None => false,
            }
        };
        if up_to_date {
            self.acknowledged.notify_waiters();
            let renewal = self.lease / 3;
            // The answer is the same after a change, the timeout and shutdown.
            let _woken = tokio::time::timeout(renewal, latest.wait_for(|&number| number > acknowledged)).await;
        } else {
            self.acknowledged.notify_waiters();
        }
        self.answer(id, name, start, acknowledged, now, may_lease)
    }

    fn answer(
        &self,
        id: Uuid,
        name: &str,
        start: Option<Uuid>,
        acknowledged: u64,
        now: Timestamp,
        may_lease: impl FnOnce() -> bool,
    ) -> PollReply {
        let mut state = self.state();
        let answered = Instant::now();
        let lease = self.lease;
        state.remove_lapsed(lease);
        let latest = state.latest;
        let missed = usize::try_from(latest.saturating_sub(acknowledged)).unwrap_or(usize::MAX);
        let continues = start == Some(self.start) && acknowledged <= latest && missed <= state.changes.len();
        let full = state.verifiers.len() >= MOST_VERIFIERS;
        let new = !state.verifiers.contains_key(&id);
        let without_lease = PollReply {
            start: self.start,
            lease: Duration::ZERO,
            change: latest,
            reset: true,
            keys: Vec::new(),
            users: Vec::new(),
        };
        if lease.is_zero() || (new && full) || !may_lease() {
            // An earlier lease of this verifier still counts in the barrier.
            return without_lease;
        }
        let verifier = match state.verifiers.get_mut(&id) {
            Some(verifier) => verifier,
            None => state.verifiers.entry(id).or_insert_with(|| VerifierState {
                name: name.to_owned(),
                since: now,
                // Its cache is empty, or this answer tells it to clear the cache before its lease begins.
                acknowledged: latest,
                answered,
            }),
        };
        verifier.answered = answered;
        let mut reply = PollReply { lease, reset: new || !continues, ..without_lease };
        if !reply.reset {
            let skip = state.changes.len().saturating_sub(missed);
            for change in state.changes.iter().skip(skip) {
                match change {
                    Change::Key(id) => reply.keys.push(id.clone()),
                    Change::User(id) => reply.users.push(*id),
                    Change::Anything => reply.reset = true,
                }
            }
        }
        reply
    }

    /// Waits until no verifier can use the state before the change `number`: until each verifier of this
    /// server has acknowledged the change or its lease has expired, and until the time `others`, when
    /// the leases of other servers have expired.
    pub(crate) async fn barrier(&self, number: u64, others: Option<Instant>) -> Barrier {
        let began = Instant::now();
        let mut confirmed = HashMap::new();
        loop {
            // Created before reading the state, so that no acknowledgement in between is missed.
            let acknowledged = self.acknowledged.notified();
            let Some(deadline) = self.pending(number, others, &mut confirmed) else {
                return self.passed(number, began, &confirmed);
            };
            // The state is read again after an acknowledgement as after the timeout.
            let _woken = tokio::time::timeout_at(deadline.into(), acknowledged).await;
        }
    }

    /// Returns when to check again, or none if no verifier can use the state before the change. Adds the
    /// verifiers that have acknowledged it since the last check to `confirmed`.
    fn pending(&self, number: u64, others: Option<Instant>, confirmed: &mut HashMap<Uuid, Instant>) -> Option<Instant> {
        let state = self.state();
        let now = Instant::now();
        let mut next = self.unknown_until.max(others).filter(|until| *until > now);
        for (id, verifier) in &state.verifiers {
            let ends = verifier.answered + self.lease;
            if verifier.acknowledged >= number {
                confirmed.entry(*id).or_insert(now);
            } else if ends > now {
                next = Some(next.map_or(ends, |sooner| sooner.min(ends)));
            }
        }
        next
    }

    /// The result of a wait that is over.
    fn passed(&self, number: u64, began: Instant, confirmed: &HashMap<Uuid, Instant>) -> Barrier {
        let state = self.state();
        let now = Instant::now();
        let mut seen: Vec<Seen> = state
            .verifiers
            .iter()
            .map(|(id, verifier)| Seen {
                id: *id,
                name: verifier.name.clone(),
                confirmed: (verifier.acknowledged >= number).then(|| confirmed.get(id).copied().unwrap_or(now)),
            })
            .collect();
        seen.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        let count = seen.iter().filter(|verifier| verifier.confirmed.is_some()).count();
        Barrier { confirmed: count, lapsed: seen.len() - count, waited: began.elapsed(), seen }
    }

    /// The connected verifiers, sorted by name.
    pub(crate) fn connected(&self) -> Vec<Connected> {
        let state = self.state();
        let mut connected: Vec<Connected> = state
            .verifiers
            .iter()
            .map(|(id, verifier)| Connected {
                id: *id,
                name: verifier.name.clone(),
                since: verifier.since,
                lag: state.latest.saturating_sub(verifier.acknowledged),
                answered: verifier.answered.elapsed(),
            })
            .collect();
        connected.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        connected
    }

    /// Answers all waiting polls, and from now on answers every poll at once.
    pub(crate) fn close(&self) {
        self.state().closing = true;
        self.latest.send_replace(u64::MAX);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
