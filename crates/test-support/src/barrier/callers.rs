//! Who uses the key: connections that do nothing else.
//!
//! They take what the others leave of the machine: one thread serves all the connections through a
//! door, and gives way. A thread for each connection, with a right of its own to a processor, would
//! keep an expire waiting for its turn among them, again and again on its way through the processes.

use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fmt, io};

use rustix::process::nice;

use super::round::{Judged, Round};
use crate::judge::{ACCEPTED, UNAVAILABLE};
use crate::wire::{Wire, request};

/// How many connections use the key through each door.
pub const CONNECTIONS: usize = 8;

/// How long to wait before connecting again to where nobody listens.
const PAUSE: Duration = Duration::from_millis(1);

/// How much nicer than the servers and the verifiers they are.
const GIVES_WAY: i32 = 10;

/// Where a key is judged; the address changes when a server is started again.
#[derive(Clone, Debug)]
pub(super) struct Door {
    pub(super) name: String,
    pub(super) address: Arc<Mutex<SocketAddr>>,
    pub(super) way: Way,
}

/// How a key is used there.
#[derive(Clone, Debug)]
pub(super) enum Way {
    /// A request of the key's own.
    Request,
    /// Somebody else, with this key, asks the server about it.
    Question(String),
    /// A line to a judge.
    Line,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Request => "a request of its own",
            Self::Question(_) => "a question about it",
            Self::Line => "a line",
        })
    }
}

/// The connections. They end when dropped.
#[derive(Debug)]
pub(super) struct Callers {
    names: Vec<String>,
    turn: Arc<Turn>,
}

/// Which key is in use: none while one is made.
#[derive(Debug, Default)]
struct Turn {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    round: Option<Arc<Round>>,
    ended: bool,
}

impl Callers {
    /// A thread for each group of doors, with a connection to each of them.
    pub(super) fn start(groups: Vec<Vec<Door>>) -> Self {
        let names = groups.iter().flatten().map(|door| door.name.clone()).collect();
        let turn = Arc::new(Turn::default());
        let mut first = 0;
        for group in groups {
            let turn = Arc::clone(&turn);
            let connections: Vec<_> =
                (first..).zip(group).map(|(number, door)| Connection { number, door, wire: None }).collect();
            first += connections.len();
            std::thread::spawn(move || call(connections, &turn));
        }
        Self { names, turn }
    }

    /// Uses the key on every connection, and returns when it was accepted on each.
    pub(super) fn present(&self, key: &str) -> Arc<Round> {
        let round = Arc::new(Round::new(key, self.names.iter().cloned()));
        self.turn.set(|state| state.round = Some(Arc::clone(&round)));
        round.await_use();
        round
    }

    /// Lets the key be.
    pub(super) fn rest(&self) {
        self.turn.set(|state| state.round = None);
    }
}

impl Drop for Callers {
    fn drop(&mut self) {
        // Those in the middle of a call end when it does, or when its other end is gone.
        self.turn.set(|state| state.ended = true);
    }
}

impl Turn {
    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_all();
    }

    /// Is this key still in use?
    fn is(&self, round: &Arc<Round>) -> bool {
        let state = self.state();
        !state.ended && state.round.as_ref().is_some_and(|current| Arc::ptr_eq(current, round))
    }

    /// The key that is in use, as soon as there is one; none at the end.
    fn round(&self) -> Option<Arc<Round>> {
        let waits = |state: &mut State| state.round.is_none() && !state.ended;
        let state = self.changed.wait_while(self.state(), waits).unwrap_or_else(PoisonError::into_inner);
        state.round.clone().filter(|_| !state.ended)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection, made again when it has broken.
#[derive(Debug)]
struct Connection {
    number: usize,
    door: Door,
    wire: Option<Wire>,
}

/// Uses key after key, flat out: while one answer is read, the other calls are on their way.
fn call(mut connections: Vec<Connection>, turn: &Turn) {
    // On Linux, this thread alone.
    nice(GIVES_WAY).expect("a lower priority");
    while let Some(round) = turn.round() {
        let mut sent: Vec<_> = connections.iter_mut().map(|connection| connection.send(&round.key)).collect();
        while turn.is(&round) {
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
    /// Begins a call. Says when it began; none if nobody is there.
    fn send(&mut self, key: &str) -> Option<Instant> {
        let began = Instant::now();
        if let Err(_gone) = self.try_send(key) {
            // The other end is being killed, or started again.
            self.wire = None;
            std::thread::sleep(PAUSE);
            return None;
        }
        Some(began)
    }

    /// Takes down what the call came to.
    fn receive(&mut self, began: Option<Instant>, round: &Round) {
        let (Some(wire), Some(began)) = (&mut self.wire, began) else { return };
        match self.door.way.judgement(wire) {
            Ok(judged) => round.note(self.number, began, judged),
            Err(_gone) => self.wire = None,
        }
    }

    fn try_send(&mut self, key: &str) -> io::Result<()> {
        let wire = match &mut self.wire {
            Some(wire) => wire,
            none => {
                let address = *self.door.address.lock().unwrap_or_else(PoisonError::into_inner);
                none.insert(Wire::connect(address)?)
            }
        };
        match &self.door.way {
            Way::Request => wire.send(&request("GET", "/api/v2/users/me", key, "")),
            Way::Question(asker) => {
                wire.send(&request("POST", "/api/v2/keys/verify", asker, &format!(r#"{{"key":"{key}"}}"#)))
            }
            Way::Line => wire.send_line(key),
        }
    }
}

impl Way {
    /// Reads the answer to a call.
    fn judgement(&self, wire: &mut Wire) -> io::Result<Judged> {
        if let Self::Line = self {
            return Ok(read_judgement(&wire.line()?));
        }
        let answer = wire.answer()?;
        Ok(match (self, answer.status) {
            (Self::Question(_), 200) if !answer.text.contains(r#""valid":true"#) => Judged::Denied,
            (_, 200) => Judged::Accepted,
            (Self::Request, 401) => Judged::Denied,
            _ => Judged::Unavailable,
        })
    }
}

/// What a judge's answer means.
pub(super) fn read_judgement(line: &str) -> Judged {
    match line {
        ACCEPTED => Judged::Accepted,
        _ if line.starts_with(UNAVAILABLE) => Judged::Unavailable,
        _ => Judged::Denied,
    }
}
