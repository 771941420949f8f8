//! Embedded verifiers, and the barrier that a change stands behind until none of them can still
//! accept what it ended.
//!
//! A verifier may use what it remembers only while the last answered poll was *sent* less than a
//! lease ago. The server counts the lease from when it *gave* the answer, which is later. So a
//! change can be acknowledged as soon as every verifier has either said that it applied it, or has
//! let its lease run out: frozen, cut off or gone, it accepts nothing any more.
//!
//! **Invariant:** a change is numbered, and an answer is made up and its lease begun, under one
//! lock. An answer given after a change was numbered tells it; one given before is waited for.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use keyward_domain::{KeyId, Timestamp, UserId};
use keyward_storage::Changes;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

/// How many changes are kept to be told one by one; a verifier further behind forgets everything.
const MOST_CHANGES: usize = 4_096;

/// How many verifiers may be connected; more are told to remember nothing.
const MOST_VERIFIERS: usize = 10_000;

/// How a change was taken up by the verifiers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Barrier {
    /// How many said that they applied it.
    pub confirmed: usize,
    /// How many did not, and have let their lease run out.
    pub lapsed: usize,
    /// How long it took.
    pub waited: Duration,
}

/// What a verifier is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollReply {
    /// The server's start.
    pub start: Uuid,
    /// For how long it may use what it remembers, from when it sent its request.
    pub lease: Duration,
    /// The number of the last change told.
    pub change: u64,
    /// Forget everything.
    pub reset: bool,
    /// Forget these.
    pub keys: Vec<KeyId>,
    /// Forget all keys of these users.
    pub users: Vec<UserId>,
}

/// A verifier that is connected.
#[derive(Clone, Debug)]
pub struct Connected {
    /// Its id.
    pub id: Uuid,
    /// What it calls itself.
    pub name: String,
    /// Since when.
    pub since: Timestamp,
    /// How many changes it has not acknowledged.
    pub lag: u64,
    /// How long ago it was answered.
    pub answered: Duration,
}

#[derive(Debug)]
pub(crate) struct Verifiers {
    start: Uuid,
    lease: Duration,
    /// Latest expiry of leases granted by a previous server.
    unknown_until: Option<Instant>,
    state: Mutex<State>,
    /// The number of the last change; the end of the server closes it.
    latest: watch::Sender<u64>,
    acknowledged: Notify,
}

/// A change, as verifiers are told of it.
#[derive(Clone, Debug)]
enum Change {
    Key(KeyId),
    User(UserId),
    Anything,
}

#[derive(Debug, Default)]
struct State {
    latest: u64,
    /// The last changes, oldest first; the last has the number `latest`.
    changes: VecDeque<Change>,
    known: HashMap<Uuid, Known>,
    closing: bool,
}

impl State {
    /// Who has let its lease run out long ago is gone; who comes back begins anew.
    fn forget_gone(&mut self, lease: Duration) {
        self.known.retain(|_, known| known.answered.elapsed() < lease * 10);
    }
}

#[derive(Debug)]
struct Known {
    name: String,
    since: Timestamp,
    acknowledged: u64,
    /// When the last answer was given: its lease runs from here on our side.
    answered: Instant,
}

impl Verifiers {
    /// `stored` is the longest lease that a server before this one gave.
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

    /// In whole milliseconds, as it is stored.
    pub(crate) fn lease_millis(&self) -> i64 {
        i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX)
    }

    /// Does something while no lease of this server's runs, and none is given; none if one may run.
    pub(crate) fn if_no_lease_active<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let mut state = self.state();
        state.forget_gone(self.lease);
        state.known.is_empty().then(work)
    }

    /// The number of the last change, taken before facts are read.
    pub(crate) fn latest(&self) -> u64 {
        self.state().latest
    }

    /// Numbers what a transaction changed; nothing if that is nothing. Answers the last number. Called
    /// when the transaction has ended, on the thread that ran it.
    pub(crate) fn record(&self, changes: &Changes) -> u64 {
        let keys = changes.keys.iter().cloned().map(Change::Key);
        let users = changes.users.iter().copied().map(Change::User);
        self.number(keys.chain(users))
    }

    /// Numbers a change that may be of anything. Answers its number.
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

    /// Answers a verifier: at once if there is something to tell, else when there is, or when it is
    /// time to renew the lease. `may_lease` is asked when the answer is given: without it, the
    /// verifier must not remember anything.
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
            match state.known.get_mut(&id).filter(|_| current) {
                Some(known) => {
                    known.acknowledged = known.acknowledged.max(acknowledged);
                    !behind
                }
                None => false,
            }
        };
        if up_to_date {
            self.acknowledged.notify_waiters();
            let hold = self.lease / 3;
            // Time to renew, or the end of the server: both are answered with what there is.
            let _news = tokio::time::timeout(hold, latest.wait_for(|&number| number > acknowledged)).await;
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
        let given = Instant::now();
        let lease = self.lease;
        state.forget_gone(lease);
        let latest = state.latest;
        let missed = usize::try_from(latest.saturating_sub(acknowledged)).unwrap_or(usize::MAX);
        let continues = start == Some(self.start) && acknowledged <= latest && missed <= state.changes.len();
        let full = state.known.len() >= MOST_VERIFIERS;
        let new = !state.known.contains_key(&id);
        if lease.is_zero() || (new && full) || !may_lease() {
            // A lease that it was given before runs on, and is waited for.
            return PollReply {
                start: self.start,
                lease: Duration::ZERO,
                change: latest,
                reset: true,
                keys: Vec::new(),
                users: Vec::new(),
            };
        }
        let known = match state.known.get_mut(&id) {
            Some(known) => known,
            None => state.known.entry(id).or_insert_with(|| Known {
                name: name.to_owned(),
                since: now,
                // It remembers nothing, or is about to be told to forget it before its lease begins.
                acknowledged: latest,
                answered: given,
            }),
        };
        known.answered = given;
        let mut news = PollReply {
            start: self.start,
            lease,
            change: latest,
            reset: new || !continues,
            keys: Vec::new(),
            users: Vec::new(),
        };
        if !news.reset {
            let skip = state.changes.len().saturating_sub(missed);
            for change in state.changes.iter().skip(skip) {
                match change {
                    Change::Key(id) => news.keys.push(id.clone()),
                    Change::User(id) => news.users.push(*id),
                    Change::Anything => news.reset = true,
                }
            }
        }
        news
    }

    /// Waits until no verifier can still act on what was before the change of this number: none of
    /// this server, and until `others` none of another.
    pub(crate) async fn barrier(&self, number: u64, others: Option<Instant>) -> Barrier {
        let began = Instant::now();
        loop {
            // Before the state is looked at, so that nothing said meanwhile is missed.
            let acknowledged = self.acknowledged.notified();
            let (next, confirmed, lapsed) = self.pending(number, others);
            let Some(deadline) = next else {
                return Barrier { confirmed, lapsed, waited: began.elapsed() };
            };
            // Either way the state is looked at again.
            let _woken = tokio::time::timeout_at(deadline.into(), acknowledged).await;
        }
    }

    /// When next to look, if somebody may still act on what was before; how many have confirmed, and
    /// how many have let their lease run out.
    fn pending(&self, number: u64, others: Option<Instant>) -> (Option<Instant>, usize, usize) {
        let state = self.state();
        let now = Instant::now();
        let mut next = self.unknown_until.max(others).filter(|until| *until > now);
        let (mut confirmed, mut lapsed) = (0, 0);
        for known in state.known.values() {
            let ends = known.answered + self.lease;
            if known.acknowledged >= number {
                confirmed += 1;
            } else if ends <= now {
                lapsed += 1;
            } else {
                next = Some(next.map_or(ends, |sooner| sooner.min(ends)));
            }
        }
        (next, confirmed, lapsed)
    }

    /// Who is connected, by name.
    pub(crate) fn connected(&self) -> Vec<Connected> {
        let state = self.state();
        let mut connected: Vec<Connected> = state
            .known
            .iter()
            .map(|(id, known)| Connected {
                id: *id,
                name: known.name.clone(),
                since: known.since,
                lag: state.latest.saturating_sub(known.acknowledged),
                answered: known.answered.elapsed(),
            })
            .collect();
        connected.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        connected
    }

    /// Answers everyone who waits, and holds nobody from now on.
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
