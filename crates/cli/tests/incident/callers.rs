//! Threads that use the leaked keys without pause, each at one door.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use keyward_test_support::{TIMEOUT, Wire, request};
use rustix::process::nice;

/// Added to the `nice` value of the threads, so that the server and the verifiers go first.
const NICE_INCREMENT: i32 = 10;

/// Where a key is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Door {
    /// A request to the API with the key.
    Api(SocketAddr),
    /// The sub-request of a reverse proxy.
    Authz(SocketAddr),
    /// A line to a verifier process.
    Verifier(SocketAddr),
}

/// All threads.
#[derive(Debug)]
pub(crate) struct Callers {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    keys: Vec<String>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    ended: bool,
    calls: u64,
    /// For each door and each key by its index.
    tallies: HashMap<(Door, usize), Tally>,
}

/// The calls with one key at one door.
#[derive(Clone, Debug, Default)]
struct Tally {
    /// Start of the last accepted call.
    accepted: Option<Instant>,
    /// Start of the last refused call, and the answer.
    refused: Option<(Instant, String)>,
}

impl Tally {
    /// Start of the last answered call.
    fn last(&self) -> Option<Instant> {
        self.accepted.max(self.refused.as_ref().map(|(began, _)| *began))
    }
}

impl Callers {
    /// Starts a thread for each door.
    pub(crate) fn start(keys: Vec<String>, doors: &[Door]) -> Self {
        let mut state = State::default();
        for door in doors {
            state.tallies.extend((0..keys.len()).map(|key| ((*door, key), Tally::default())));
        }
        let shared = Arc::new(Shared { keys, state: Mutex::new(state), changed: Condvar::new() });
        let threads = doors.iter().map(|door| {
            let (door, shared) = (*door, Arc::clone(&shared));
            std::thread::spawn(move || shared.call(door))
        });
        Self { threads: threads.collect(), shared }
    }

    /// Waits until every door has accepted every key.
    pub(crate) fn await_use(&self) {
        self.shared.wait_for("to be accepted", |tally| tally.accepted.is_some());
    }

    /// Waits until every door has answered a call with every key that began after `instant`. None of these
    /// calls may be accepted, and each of the latest answers has this text.
    #[track_caller]
    pub(crate) fn refused_since(&self, instant: Instant, text: &str) {
        self.shared.wait_for("to be answered", |tally| tally.last() > Some(instant));
        for ((door, key), tally) in &self.shared.state().tallies {
            assert!(tally.accepted < Some(instant), "{door} accepted key {key} in a call begun afterwards: {tally:?}");
            let answer = tally.refused.as_ref().map_or("", |(_, answer)| answer);
            assert!(answer.contains(text), "{door} refused key {key} otherwise: {answer}");
        }
    }

    /// Stops, and returns the number of calls.
    pub(crate) fn stop(self) -> u64 {
        self.shared.state().ended = true;
        for thread in self.threads {
            thread.join().unwrap();
        }
        self.shared.state().calls
    }
}

impl Shared {
    /// Uses one key after another.
    fn call(&self, door: Door) {
        // On Linux, this affects the calling thread only.
        nice(NICE_INCREMENT).unwrap();
        let mut wire = door.connect();
        loop {
            for (index, key) in self.keys.iter().enumerate() {
                if self.state().ended {
                    return;
                }
                let began = Instant::now();
                let refused = door.call(&mut wire, key).unwrap_or_else(|error| panic!("{door}: {error}"));
                let mut state = self.state();
                state.calls += 1;
                let tally = state.tallies.entry((door, index)).or_default();
                match refused {
                    None => tally.accepted = Some(began),
                    Some(answer) => tally.refused = Some((began, answer)),
                }
            }
            self.changed.notify_all();
        }
    }

    fn wait_for(&self, what: &str, condition: impl Fn(&Tally) -> bool) {
        let waits = |state: &mut State| !state.tallies.values().all(&condition);
        let waited = self.changed.wait_timeout_while(self.state(), TIMEOUT, waits);
        let (state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!waited.timed_out(), "timed out waiting for the keys {what}: {:#?}", state.tallies);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Door {
    fn connect(self) -> Wire {
        let (Self::Api(address) | Self::Authz(address) | Self::Verifier(address)) = self;
        Wire::connect(address).unwrap()
    }

    /// Uses a key. Returns the answer if it is refused.
    fn call(self, wire: &mut Wire, key: &str) -> io::Result<Option<String>> {
        let path = match self {
            Self::Api(_) => "/api/v2/users/me",
            Self::Authz(_) => "/authz",
            Self::Verifier(_) => {
                wire.send_line(key)?;
                let line = wire.line()?;
                return Ok(if line == "ok" { None } else { Some(line) });
            }
        };
        let answer = wire.call(&request("GET", path, key, ""))?;
        Ok(if answer.status == 200 { None } else { Some(format!("{} {}", answer.status, answer.text)) })
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Api(_) => f.write_str("the API"),
            Self::Authz(_) => f.write_str("/authz"),
            Self::Verifier(address) => write!(f, "the verifier at {address}"),
        }
    }
}
