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

mod peers;

pub use peers::KEEP_UP_EVERY;
pub(crate) use peers::Peers;

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use keyward_domain::{KeyId, Timestamp};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::cache::Touched;

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
pub struct News {
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
    /// Until when leases may run that a server before this one gave.
    blind_until: Option<Instant>,
    state: Mutex<State>,
    /// The number of the last change; the end of the server closes it.
    latest: watch::Sender<u64>,
    acknowledged: Notify,
}

#[derive(Debug, Default)]
struct State {
    latest: u64,
    /// The last changes, oldest first; the last has the number `latest`.
    changes: VecDeque<Touched>,
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
            blind_until: stored.and_then(|stored| Instant::now().checked_add(stored)),
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
    pub(crate) fn if_there_are_none<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let mut state = self.state();
        state.forget_gone(self.lease);
        state.known.is_empty().then(work)
    }

    /// The number of the last change, taken before facts are read.
    pub(crate) fn latest(&self) -> u64 {
        self.state().latest
    }

    /// Numbers a change. Called when its transaction has ended, on the thread that ran it.
    pub(crate) fn record(&self, touched: &Touched) -> u64 {
        let mut state = self.state();
        let told = match touched {
            Touched::Nothing => return state.latest,
            Touched::Key(_) | Touched::Use(_) | Touched::Everything => touched.clone(),
        };
        state.latest += 1;
        state.changes.push_back(told);
        if state.changes.len() > MOST_CHANGES {
            state.changes.pop_front();
        }
        let latest = state.latest;
        drop(state);
        self.latest.send_replace(latest);
        latest
    }

    /// Answers a verifier: at once if there is something to tell, else when there is, or when it is
    /// time to renew the lease. `may_grant` is asked when the answer is given: without it, the
    /// verifier must not remember anything.
    pub(crate) async fn poll(
        &self,
        id: Uuid,
        name: &str,
        start: Option<Uuid>,
        acknowledged: u64,
        now: Timestamp,
        may_grant: impl FnOnce() -> bool,
    ) -> News {
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
        self.answer(id, name, start, acknowledged, now, may_grant)
    }

    fn answer(
        &self,
        id: Uuid,
        name: &str,
        start: Option<Uuid>,
        acknowledged: u64,
        now: Timestamp,
        may_grant: impl FnOnce() -> bool,
    ) -> News {
        let mut state = self.state();
        let given = Instant::now();
        let lease = self.lease;
        state.forget_gone(lease);
        let latest = state.latest;
        let missed = usize::try_from(latest.saturating_sub(acknowledged)).unwrap_or(usize::MAX);
        let continues = start == Some(self.start) && acknowledged <= latest && missed <= state.changes.len();
        let full = state.known.len() >= MOST_VERIFIERS;
        let new = !state.known.contains_key(&id);
        if lease.is_zero() || (new && full) || !may_grant() {
            // A lease that it was given before runs on, and is waited for.
            return News { start: self.start, lease: Duration::ZERO, change: latest, reset: true, keys: Vec::new() };
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
        let mut news = News { start: self.start, lease, change: latest, reset: new || !continues, keys: Vec::new() };
        if !news.reset {
            let skip = state.changes.len().saturating_sub(missed);
            for touched in state.changes.iter().skip(skip) {
                match touched {
                    Touched::Key(id) | Touched::Use(id) => news.keys.push(id.clone()),
                    Touched::Everything => news.reset = true,
                    Touched::Nothing => {}
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
        let mut next = self.blind_until.max(others).filter(|until| *until > now);
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
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_millis(200);

    fn key() -> KeyId {
        "kwd_0000000000".parse().unwrap()
    }

    async fn join(verifiers: &Verifiers, id: Uuid) -> News {
        verifiers.poll(id, "v", None, 0, Timestamp::EPOCH, || true).await
    }

    #[tokio::test]
    async fn without_verifiers_nothing_is_waited_for() {
        let verifiers = Verifiers::new(LEASE, None);
        let number = verifiers.record(&Touched::Key(key()));
        let barrier = verifiers.barrier(number, None).await;
        assert_eq!((barrier.confirmed, barrier.lapsed), (0, 0));
    }

    #[tokio::test]
    async fn a_change_is_told_at_once_and_waited_for_until_it_is_acknowledged() {
        let verifiers = Verifiers::new(Duration::from_secs(60), None);
        let id = Uuid::new_v4();
        let first = join(&verifiers, id).await;
        assert!(first.reset);
        let polling = verifiers.poll(id, "v", Some(first.start), first.change, Timestamp::EPOCH, || true);
        let change = async {
            let number = verifiers.record(&Touched::Key(key()));
            verifiers.barrier(number, None).await
        };
        let acknowledging = async {
            let news = polling.await;
            assert_eq!((news.reset, news.keys.as_slice()), (false, &[key()][..]));
            let next = verifiers.poll(id, "v", Some(news.start), news.change, Timestamp::EPOCH, || true);
            // It is held; the acknowledgement counts as soon as it has come in.
            let _held = tokio::time::timeout(Duration::from_millis(20), next).await;
        };
        let (barrier, ()) = tokio::join!(change, acknowledging);
        assert_eq!((barrier.confirmed, barrier.lapsed), (1, 0));
    }

    #[tokio::test]
    async fn a_frozen_verifier_is_waited_for_until_its_lease_has_run_out_and_no_longer() {
        let verifiers = Verifiers::new(LEASE, None);
        let given = Instant::now();
        join(&verifiers, Uuid::new_v4()).await;
        let number = verifiers.record(&Touched::Key(key()));
        let barrier = verifiers.barrier(number, None).await;
        assert_eq!((barrier.confirmed, barrier.lapsed), (0, 1));
        assert!(given.elapsed() >= LEASE, "the lease, counted from the answer");
        let barrier = verifiers.barrier(number, None).await;
        assert!(barrier.waited < LEASE / 2, "it has lapsed already");
    }

    #[tokio::test]
    async fn after_a_start_the_leases_of_the_server_before_are_waited_out() {
        let began = Instant::now();
        let verifiers = Verifiers::new(LEASE, Some(LEASE));
        let number = verifiers.record(&Touched::Everything);
        verifiers.barrier(number, None).await;
        assert!(began.elapsed() >= LEASE);
    }

    #[tokio::test]
    async fn who_is_too_far_behind_forgets_everything_and_still_holds_the_barrier() {
        let verifiers = Verifiers::new(Duration::from_secs(60), None);
        let id = Uuid::new_v4();
        let first = join(&verifiers, id).await;
        for _ in 0..=MOST_CHANGES {
            verifiers.record(&Touched::Key(key()));
        }
        let news = verifiers.poll(id, "v", Some(first.start), first.change, Timestamp::EPOCH, || true).await;
        assert!(news.reset);
        assert!(verifiers.pending(news.change, None).0.is_some(), "told is not applied");
        assert_eq!(verifiers.connected().first().unwrap().lag, news.change);
    }

    #[tokio::test]
    async fn another_start_or_a_number_from_the_future_begins_anew() {
        let verifiers = Verifiers::new(LEASE, None);
        let id = Uuid::new_v4();
        let first = join(&verifiers, id).await;
        assert!(verifiers.poll(id, "v", Some(Uuid::new_v4()), first.change, Timestamp::EPOCH, || true).await.reset);
        assert!(verifiers.answer(id, "v", Some(first.start), 99, Timestamp::EPOCH, || true).reset);
    }

    #[tokio::test]
    async fn the_end_of_the_server_answers_who_waits() {
        let verifiers = Verifiers::new(Duration::from_secs(600), None);
        let id = Uuid::new_v4();
        let first = join(&verifiers, id).await;
        let polling = verifiers.poll(id, "v", Some(first.start), first.change, Timestamp::EPOCH, || true);
        let ((), news) = tokio::join!(async { verifiers.close() }, polling);
        assert!(!news.reset);
    }
}
