//! Servers on one database, two embedded verifiers, each behind a proxy, and the connections that use
//! keys through all of them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::callers::{CONNECTIONS, CallKind, Callers, Target};
use super::round::Round;
use crate::VerifierProcess;
use keyward_test_support::{Backend, ServerProcess, TcpProxy, TestDatabase};
use keyward_test_support::{TIMEOUT, Wire, WireAnswer, request};

/// The default lease duration of servers.
pub const LEASE: Duration = Duration::from_secs(1);

/// Delay between polls of a condition that sends no notification.
const PAUSE: Duration = Duration::from_millis(5);

/// Index of the verifier that is disturbed.
pub(super) const DISTURBED: usize = 1;

const NAMES: [&str; 2] = ["one", "two"];

/// All processes and connections. They end when dropped.
#[derive(Debug)]
pub struct Stage {
    pub(super) callers: Callers,
    pub(super) verifiers: [VerifierProcess; 2],
    pub(super) proxies: [TcpProxy; 2],
    pub(super) servers: Vec<Server>,
    program: PathBuf,
    /// The owner's session token.
    owner: String,
    /// Number of expires sent. It selects the server for the next request.
    turn: usize,
    database: TestDatabase,
}

/// A server, which may be restarted.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) process: Option<ServerProcess>,
    pub(super) address: Arc<Mutex<SocketAddr>>,
}

/// A new key.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) id: String,
    pub(super) secret: String,
}

/// A successful expire.
#[derive(Clone, Debug)]
pub struct Expired {
    /// Time from sending the request to reading its success.
    pub took: Duration,
    /// Number of verifiers that confirmed.
    pub confirmed: u64,
    /// Number of verifiers whose lease ran out.
    pub lapsed: u64,
    /// Number of calls with the key, before and after the expire.
    pub calls: u64,
    pub(super) read: Instant,
}

impl Stage {
    /// Starts `servers` servers of this program with the first user, and two verifiers: this program with
    /// the arguments `verifier`. The verifiers are distributed over the servers.
    #[must_use]
    pub fn start(program: &Path, verifier: &[&str], database: TestDatabase, servers: usize) -> Self {
        let start = || ServerProcess::start(program, database.url(), database.directory());
        let first = start();
        let owner = first.first_session();
        let asker = verifiers_token(&first, &owner);
        let others = (1..servers).map(|_| start());
        let servers: Vec<_> = std::iter::once(first).chain(others).map(Server::new).collect();
        let at = |index: usize| &servers[index % servers.len()];
        let proxies = [0, 1].map(|index| TcpProxy::start(at(index).address()));
        let verifiers = [0, 1].map(|index| {
            let url = format!("http://{}", proxies[index].address());
            VerifierProcess::start(verifier, NAMES[index], &url, &asker)
        });
        let to_servers = (0..CONNECTIONS).map(|connection| {
            // Each server gets both kinds of calls.
            let (index, kind) = match connection % 2 {
                0 => (connection / 2, CallKind::OwnRequest),
                _ => (connection / 2, CallKind::VerifyRequest(asker.clone())),
            };
            let index = index % servers.len();
            Target { name: format!("server {index}, {kind}"), address: Arc::clone(&servers[index].address), kind }
        });
        let to_verifiers = verifiers.iter().zip(NAMES).map(|(verifier, name)| {
            let target = Target {
                name: format!("verifier {name}"),
                address: Arc::new(Mutex::new(verifier.address())),
                kind: CallKind::Line,
            };
            vec![target; CONNECTIONS]
        });
        let callers = Callers::start(std::iter::once(to_servers.collect()).chain(to_verifiers).collect());
        let stage =
            Self { callers, verifiers, proxies, servers, program: program.to_owned(), owner, turn: 0, database };
        stage.await_leases();
        stage
    }

    /// The kind of database.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.database.backend
    }

    /// Creates a key and uses it until every target accepts it.
    pub(super) fn use_new_key(&self) -> (Key, Arc<Round>) {
        let answer = self.call("POST", "/api/v2/users/me/keys/tokens", "{}").expect(201);
        let key = Key { id: text(&answer, "id"), secret: text(&answer, "key") };
        let round = self.callers.present(&key.secret);
        (key, round)
    }

    /// Sends the expire of a key without reading the response.
    pub(super) fn send_expire(&mut self, key: &Key) -> (Wire, Instant) {
        self.turn += 1;
        let mut wire = self.connect(self.turn);
        let path = format!("/api/v2/users/me/keys/{}/expire", key.id);
        let sent = Instant::now();
        wire.send(&request("PUT", &path, &self.owner, "")).expect("a request");
        (wire, sent)
    }

    /// Expires a key.
    pub(super) fn expire(&mut self, key: &Key) -> Expired {
        let (mut wire, sent) = self.send_expire(key);
        let answer = wire.answer().expect("an answer");
        Expired::of(&answer, sent)
    }

    /// Waits until each verifier has a lease and knows all changes.
    pub fn await_leases(&self) {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let known: Vec<Value> = (0..self.servers.len())
                .flat_map(|server| {
                    let listed = self.call_at(server, "GET", "/api/v2/verifiers", "").expect(200);
                    listed.as_array().cloned().unwrap_or_default()
                })
                .collect();
            let is_ready = |verifier: &Value| {
                // The server answers a poll every third of a lease.
                let recently = verifier["answered_ms_ago"].as_u64().is_some_and(|ago| ago < 500);
                recently && verifier["lag"] == 0
            };
            let ready = NAMES.iter().all(|name| known.iter().any(|known| known["name"] == *name && is_ready(known)));
            if ready {
                return;
            }
            assert!(Instant::now() < deadline, "timed out waiting for leases: {known:?}");
            std::thread::sleep(PAUSE);
        }
    }

    /// Restarts a server that has ended, on another port.
    pub(super) fn start_again(&mut self, server: usize) {
        let process = ServerProcess::start(&self.program, self.database.url(), self.database.directory());
        let count = self.servers.len();
        for (index, proxy) in self.proxies.iter().enumerate() {
            if index % count == server {
                proxy.forward_to(process.address());
            }
        }
        let server = &mut self.servers[server];
        *server.address.lock().unwrap_or_else(PoisonError::into_inner) = process.address();
        server.process = Some(process);
    }

    /// Index of the server that got the last expire.
    pub(super) fn last_asked(&self) -> usize {
        self.turn % self.servers.len()
    }

    pub(super) fn connect(&self, server: usize) -> Wire {
        Wire::connect(self.servers[server % self.servers.len()].address()).expect("a connection")
    }

    fn call(&self, method: &str, path: &str, body: &str) -> WireAnswer {
        self.call_at(self.turn, method, path, body)
    }

    fn call_at(&self, server: usize, method: &str, path: &str, body: &str) -> WireAnswer {
        self.connect(server).call(&request(method, path, &self.owner, body)).expect("an answer")
    }
}

impl Server {
    fn new(process: ServerProcess) -> Self {
        Self { address: Arc::new(Mutex::new(process.address())), process: Some(process) }
    }

    fn address(&self) -> SocketAddr {
        *self.address.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Expired {
    /// Reads a success that has just arrived.
    pub(super) fn of(answer: &WireAnswer, sent: Instant) -> Self {
        let read = Instant::now();
        answer.expect(204);
        let told = answer.header("keyward-barrier").expect("the barrier header");
        let number = |name: &str| {
            let mut pairs = told.split(' ').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).and_then(|(_, value)| value.parse().ok()).expect("a number")
        };
        let (confirmed, lapsed) = (number("confirmed"), number("lapsed"));
        Self { took: read - sent, confirmed, lapsed, calls: 0, read }
    }
}

/// Creates a service account that may verify keys, and returns its token.
fn verifiers_token(server: &ServerProcess, owner: &str) -> String {
    let mut wire = Wire::connect(server.address()).expect("a connection");
    let mut post = |path: &str, body: Value| {
        wire.call(&request("POST", path, owner, &body.to_string())).expect("an answer").expect(201)
    };
    let email = "gateway@example.com";
    post(
        "/api/v2/users",
        json!({ "username": "gateway", "email": email, "login_type": "none", "roles": ["verifier"] }),
    );
    text(&post("/api/v2/users/gateway/keys/tokens", json!({ "scopes": ["api_key:verify"] })), "key")
}

fn text(answer: &Value, field: &str) -> String {
    answer[field].as_str().expect("a text").to_owned()
}
