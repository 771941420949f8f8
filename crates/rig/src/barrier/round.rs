//! Results of all calls with one key.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use keyward_test_support::TIMEOUT;

/// The result of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    Accepted,
    Denied,
    /// The server could not be reached, so the key was not accepted.
    Unavailable,
}

/// One key and the results of its calls on each connection.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) key: String,
    tally: Mutex<Tally>,
    changed: Condvar,
}

#[derive(Debug)]
struct Tally {
    /// When the success of the expire was read.
    expired_at: Option<Instant>,
    lines: Vec<ConnectionTally>,
}

/// The results of the calls on one connection.
#[derive(Debug, Default)]
struct ConnectionTally {
    target: String,
    accepted: u64,
    denied: u64,
    unavailable: u64,
    /// Start of the last accepted call.
    last_accepted: Option<Instant>,
    /// Start of the last call that got a response.
    last_answered: Option<Instant>,
}

impl Round {
    /// `targets` names the target of each connection.
    pub(super) fn new(key: &str, targets: impl Iterator<Item = String>) -> Self {
        let lines = targets.map(|target| ConnectionTally { target, ..ConnectionTally::default() }).collect();
        Self { key: key.to_owned(), tally: Mutex::new(Tally { expired_at: None, lines }), changed: Condvar::new() }
    }

    /// Records a call that started at `began`.
    pub(super) fn note(&self, connection: usize, began: Instant, judged: Judged) {
        let mut tally = self.tally();
        let expired_at = tally.expired_at;
        let line = &mut tally.lines[connection];
        let was_after = expired_at.is_some() && line.last_answered > expired_at;
        line.last_answered = Some(began);
        match judged {
            Judged::Accepted => {
                line.accepted += 1;
                line.last_accepted = Some(began);
            }
            Judged::Denied => line.denied += 1,
            Judged::Unavailable => line.unavailable += 1,
        }
        // Notifies only about results that a waiter may wait for, because most calls change nothing.
        let is_after = expired_at.is_some() && line.last_answered > expired_at;
        let is_first = match judged {
            Judged::Accepted => line.accepted == 1,
            Judged::Denied => line.denied == 1,
            Judged::Unavailable => false,
        };
        if is_first || (is_after && !was_after) {
            self.changed.notify_all();
        }
    }

    /// Waits until every connection has accepted the key.
    pub(super) fn await_use(&self) {
        self.wait_for("to be accepted", |tally| tally.lines.iter().all(|line| line.accepted > 0));
    }

    /// Waits until some connection has denied the key.
    pub(super) fn await_denial(&self) {
        self.wait_for("to be denied", |tally| tally.lines.iter().any(|line| line.denied > 0));
    }

    /// Waits until every connection has a response to a call that began after the success of the expire
    /// was read. Returns the number of calls.
    ///
    /// # Panics
    /// If one of these calls was accepted.
    pub(super) fn check(&self, expired_at: Instant) -> u64 {
        self.tally().expired_at = Some(expired_at);
        self.wait_for("to be answered after the expire", |tally| {
            tally.lines.iter().all(|line| line.last_answered > tally.expired_at)
        });
        let tally = self.tally();
        for line in &tally.lines {
            let late = line.last_accepted.and_then(|began| began.checked_duration_since(expired_at));
            let late = late.filter(|late| !late.is_zero());
            let target = &line.target;
            assert!(late.is_none(), "{target}: accepted a call that began {late:?} after the 204 was read: {line:?}");
        }
        tally.lines.iter().map(|line| line.accepted + line.denied + line.unavailable).sum()
    }

    fn wait_for(&self, what: &str, condition: impl Fn(&Tally) -> bool) {
        let waited = self.changed.wait_timeout_while(self.tally(), TIMEOUT, |tally| !condition(tally));
        let (tally, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!waited.timed_out(), "timed out waiting for the key {what}: {tally:#?}");
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
