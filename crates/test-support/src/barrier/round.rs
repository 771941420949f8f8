//! What became of the calls with one key.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::wire::PATIENCE;

/// What a call came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    Accepted,
    Denied,
    /// Nobody could tell: not accepted either.
    Unavailable,
}

/// One key, and its calls on each connection.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) key: String,
    tally: Mutex<Tally>,
    news: Condvar,
}

#[derive(Debug)]
struct Tally {
    /// When the success of the expire had been read.
    dead: Option<Instant>,
    lines: Vec<Line>,
}

/// The calls on one connection.
#[derive(Debug, Default)]
struct Line {
    door: String,
    accepted: u64,
    denied: u64,
    unavailable: u64,
    /// When the last call that was accepted had begun.
    last_accepted: Option<Instant>,
    /// When the last call that was answered had begun.
    last_answered: Option<Instant>,
}

impl Round {
    /// `doors` names where each connection leads.
    pub(super) fn new(key: &str, doors: impl Iterator<Item = String>) -> Self {
        let lines = doors.map(|door| Line { door, ..Line::default() }).collect();
        Self { key: key.to_owned(), tally: Mutex::new(Tally { dead: None, lines }), news: Condvar::new() }
    }

    /// Takes down a call that began then.
    pub(super) fn note(&self, connection: usize, began: Instant, judged: Judged) {
        let mut tally = self.tally();
        let dead = tally.dead;
        let line = &mut tally.lines[connection];
        let was_after = dead.is_some() && line.last_answered > dead;
        line.last_answered = Some(began);
        match judged {
            Judged::Accepted => {
                line.accepted += 1;
                line.last_accepted = Some(began);
            }
            Judged::Denied => line.denied += 1,
            Judged::Unavailable => line.unavailable += 1,
        }
        // Only what somebody may be waiting for: most calls are nothing new.
        let is_after = dead.is_some() && line.last_answered > dead;
        let is_first = match judged {
            Judged::Accepted => line.accepted == 1,
            Judged::Denied => line.denied == 1,
            Judged::Unavailable => false,
        };
        if is_first || (is_after && !was_after) {
            self.news.notify_all();
        }
    }

    /// Waits until the key has been accepted on every connection.
    pub(super) fn await_use(&self) {
        self.wait_for("to be accepted", |tally| tally.lines.iter().all(|line| line.accepted > 0));
    }

    /// Waits until the key has been denied somewhere.
    pub(super) fn await_denial(&self) {
        self.wait_for("to be denied", |tally| tally.lines.iter().any(|line| line.denied > 0));
    }

    /// Waits until a call that began after the success of the expire had been read is answered on
    /// every connection. Returns how many calls there were.
    ///
    /// # Panics
    /// When one of them was accepted.
    pub(super) fn check(&self, dead: Instant) -> u64 {
        self.tally().dead = Some(dead);
        self.wait_for("to be answered after the expire", |tally| {
            tally.lines.iter().all(|line| line.last_answered > tally.dead)
        });
        let tally = self.tally();
        for line in &tally.lines {
            let late = line.last_accepted.and_then(|began| began.checked_duration_since(dead));
            let late = late.filter(|late| !late.is_zero());
            let door = &line.door;
            assert!(late.is_none(), "{door}: accepted a call that began {late:?} after the 204 was read: {line:?}");
        }
        tally.lines.iter().map(|line| line.accepted + line.denied + line.unavailable).sum()
    }

    fn wait_for(&self, what: &str, condition: impl Fn(&Tally) -> bool) {
        let waited = self.news.wait_timeout_while(self.tally(), PATIENCE, |tally| !condition(tally));
        let (tally, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!waited.timed_out(), "waited in vain {what}: {tally:#?}");
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
