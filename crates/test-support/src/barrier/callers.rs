//! Who uses the key: connections that do nothing else.

use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fmt, io};

use super::round::{Judged, Round};
use crate::judge::{ACCEPTED, UNAVAILABLE};
use crate::wire::{Wire, request};

/// How many connections use the key through each door.
pub const CONNECTIONS: usize = 8;

/// How long to wait before connecting again to where nobody listens.
const PAUSE: Duration = Duration::from_millis(1);

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

/// The connections, each on a thread of its own. They end when dropped.
#[derive(Debug)]
pub(super) struct Callers {
    doors: Vec<Door>,
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
    /// A connection for each entry.
    pub(super) fn start(doors: Vec<Door>) -> Self {
        let turn = Arc::new(Turn::default());
        for (connection, door) in doors.iter().cloned().enumerate() {
            let turn = Arc::clone(&turn);
            std::thread::spawn(move || call(connection, &door, &turn));
        }
        Self { doors, turn }
    }

    /// Uses the key on every connection, and returns when it was accepted on each.
    pub(super) fn present(&self, key: &str) -> Arc<Round> {
        let round = Arc::new(Round::new(key, self.doors.iter().map(|door| door.name.clone())));
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

/// Uses key after key, flat out.
fn call(connection: usize, door: &Door, turn: &Turn) {
    let mut wire = None;
    while let Some(round) = turn.round() {
        let began = Instant::now();
        match use_once(&mut wire, door, &round.key) {
            Ok(judged) => round.note(connection, began, judged),
            // The other end is being killed, or started again.
            Err(_) => {
                wire = None;
                std::thread::sleep(PAUSE);
            }
        }
    }
}

fn use_once(wire: &mut Option<Wire>, door: &Door, key: &str) -> io::Result<Judged> {
    let wire = match wire {
        Some(wire) => wire,
        None => {
            let address = *door.address.lock().unwrap_or_else(PoisonError::into_inner);
            wire.insert(Wire::connect(address)?)
        }
    };
    match &door.way {
        Way::Request => {
            let answer = wire.call(&request("GET", "/api/v2/users/me", key, ""))?;
            Ok(match answer.status {
                200 => Judged::Accepted,
                401 => Judged::Denied,
                _ => Judged::Unavailable,
            })
        }
        Way::Question(asker) => {
            let body = format!(r#"{{"key":"{key}"}}"#);
            let answer = wire.call(&request("POST", "/api/v2/keys/verify", asker, &body))?;
            Ok(match answer.status {
                200 if answer.text.contains(r#""valid":true"#) => Judged::Accepted,
                200 => Judged::Denied,
                _ => Judged::Unavailable,
            })
        }
        Way::Line => {
            wire.send_line(key)?;
            Ok(read_judgement(&wire.line()?))
        }
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
