//! Connections that do nothing but use the key.
//!
//! They have low priority: one thread with a high `nice` value serves all connections of a group. With
//! one thread of normal priority per connection, every process in the path of an expire would have to
//! wait for processor time.

use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fmt, io};

use rustix::process::nice;

use super::round::{Judged, Round};
use crate::verifier_process::{ACCEPTED, UNAVAILABLE};
use keyward_test_support::{Wire, request};

/// Number of connections to each target.
pub const CONNECTIONS: usize = 8;

/// Delay before reconnecting when nothing listens.
const PAUSE: Duration = Duration::from_millis(1);

/// `nice` value added to the threads, so that servers and verifiers go first.
const NICE_INCREMENT: i32 = 10;

/// Where a key is verified. The address changes when a server restarts.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) address: Arc<Mutex<SocketAddr>>,
    pub(super) kind: CallKind,
}

/// How a key is used.
#[derive(Clone, Debug)]
pub(super) enum CallKind {
    /// A request with the key.
    OwnRequest,
    /// A verify request about the key, with this other key as credential.
    VerifyRequest(String),
    /// A line to a verifier process.
    Line,
}

impl fmt::Display for CallKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OwnRequest => "a request with the key",
            Self::VerifyRequest(_) => "a verify request",
            Self::Line => "a line",
        })
    }
}

/// All connections. They end when dropped.
#[derive(Debug)]
pub(super) struct Callers {
    names: Vec<String>,
    current: Arc<CurrentRound>,
}

/// The current round, which is `None` while a key is created.
#[derive(Debug, Default)]
struct CurrentRound {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    round: Option<Arc<Round>>,
    ended: bool,
}

impl Callers {
    /// Starts one thread per group, with one connection per target.
    pub(super) fn start(groups: Vec<Vec<Target>>) -> Self {
        let names = groups.iter().flatten().map(|target| target.name.clone()).collect();
        let current = Arc::new(CurrentRound::default());
        let mut first = 0;
        for group in groups {
            let current = Arc::clone(&current);
            let connections: Vec<_> =
                (first..).zip(group).map(|(number, target)| Connection { number, target, wire: None }).collect();
            first += connections.len();
            std::thread::spawn(move || call(connections, &current));
        }
        Self { names, current }
    }

    /// Uses the key on every connection and returns when each has accepted it.
    pub(super) fn present(&self, key: &str) -> Arc<Round> {
        let round = Arc::new(Round::new(key, self.names.iter().cloned()));
        self.current.set(|state| state.round = Some(Arc::clone(&round)));
        round.await_use();
        round
    }

    /// Stops using the key.
    pub(super) fn rest(&self) {
        self.current.set(|state| state.round = None);
    }
}

impl Drop for Callers {
    fn drop(&mut self) {
        // A running call ends with its response, or when the other end is gone.
        self.current.set(|state| state.ended = true);
    }
}

impl CurrentRound {
    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_all();
    }

    /// Whether this round is still the current one.
    fn is(&self, round: &Arc<Round>) -> bool {
        let state = self.state();
        !state.ended && state.round.as_ref().is_some_and(|current| Arc::ptr_eq(current, round))
    }

    /// Waits for a round. `None` at the end.
    fn round(&self) -> Option<Arc<Round>> {
        let waits = |state: &mut State| state.round.is_none() && !state.ended;
        let state = self.changed.wait_while(self.state(), waits).unwrap_or_else(PoisonError::into_inner);
        state.round.clone().filter(|_| !state.ended)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that reconnects after an error.
#[derive(Debug)]
struct Connection {
    number: usize,
    target: Target,
    wire: Option<Wire>,
}

/// Uses the current key without pause. While one response is read, the other requests are in flight.
fn call(mut connections: Vec<Connection>, current: &CurrentRound) {
    // On Linux, this affects the calling thread only.
    nice(NICE_INCREMENT).expect("a lower priority");
    while let Some(round) = current.round() {
        let mut sent: Vec<_> = connections.iter_mut().map(|connection| connection.send(&round.key)).collect();
        while current.is(&round) {
            for (connection, sent) in connections.iter_mut().zip(&mut sent) {
                connection.receive(sent.take(), &round);
                *sent = connection.send(&round.key);
            }
        }
        for (connection, sent) in connections.iter_mut().zip(sent) {
            connection.receive(sent, &round);
        }
    }
}

impl Connection {
    /// Sends a call and returns its start. `None` if the other end is gone.
    fn send(&mut self, key: &str) -> Option<Instant> {
        let began = Instant::now();
        if let Err(_gone) = self.try_send(key) {
            // The other end has been killed or restarts.
            self.wire = None;
            std::thread::sleep(PAUSE);
            return None;
        }
        Some(began)
    }

    /// Records the result of a call.
    fn receive(&mut self, began: Option<Instant>, round: &Round) {
        let (Some(wire), Some(began)) = (&mut self.wire, began) else { return };
        match self.target.kind.read_response(wire) {
            Ok(judged) => round.note(self.number, began, judged),
            Err(_gone) => self.wire = None,
        }
    }

    fn try_send(&mut self, key: &str) -> io::Result<()> {
        let wire = match &mut self.wire {
            Some(wire) => wire,
            none => {
                let address = *self.target.address.lock().unwrap_or_else(PoisonError::into_inner);
                none.insert(Wire::connect(address)?)
            }
        };
        match &self.target.kind {
            CallKind::OwnRequest => wire.send(&request("GET", "/api/v2/users/me", key, "")),
            CallKind::VerifyRequest(asker) => {
                wire.send(&request("POST", "/api/v2/keys/verify", asker, &format!(r#"{{"key":"{key}"}}"#)))
            }
            CallKind::Line => wire.send_line(key),
        }
    }
}

impl CallKind {
    /// Reads the response to a call.
    fn read_response(&self, wire: &mut Wire) -> io::Result<Judged> {
        if let Self::Line = self {
            return Ok(read_verdict(&wire.line()?));
        }
        let answer = wire.answer()?;
        Ok(match (self, answer.status) {
            (Self::VerifyRequest(_), 200) if !answer.text.contains(r#""valid":true"#) => Judged::Denied,
            (_, 200) => Judged::Accepted,
            (Self::OwnRequest, 401) => Judged::Denied,
            _ => Judged::Unavailable,
        })
    }
}

/// Parses a verifier's answer.
pub(super) fn read_verdict(line: &str) -> Judged {
    match line {
        ACCEPTED => Judged::Accepted,
        _ if line.starts_with(UNAVAILABLE) => Judged::Unavailable,
        _ => Judged::Denied,
    }
}
