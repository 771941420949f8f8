//! A server whose PostgreSQL hangs, is gone, or loses what is sent to it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use keyward_test_support::{PostgresServer, ServerProcess, TcpProxy, Wire, WireAnswer, request};
use serde_json::{Value, json};

use crate::PROGRAM;

const CLIENTS: usize = 64;

/// The slowest answer, before and after the server knows of the trouble.
const AT_FIRST: Duration = Duration::from_secs(6);
const ONCE_KNOWN: Duration = Duration::from_secs(1);

/// How soon requests succeed again.
const RECOVERED_WITHIN: Duration = Duration::from_secs(2);

/// A server on a PostgreSQL of its own, with a proxy in between.
struct Stage {
    postgres: PostgresServer,
    proxy: TcpProxy,
    server: ServerProcess,
    session: String,
    _directory: tempfile::TempDir,
}

/// What happens to the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// All its processes are stopped (`SIGSTOP`).
    Frozen,
    /// It is stopped, and started again later.
    Stopped,
    /// The network resets connections.
    Refused,
    /// The network loses everything.
    Lost,
}

impl Stage {
    fn new() -> Option<Self> {
        let postgres = PostgresServer::start()?;
        let url = postgres.url().to_owned();
        let (address, rest) = url.trim_start_matches("postgres://keyward@").split_once('/').unwrap();
        let proxy = TcpProxy::start(address.parse::<SocketAddr>().unwrap());
        let url = format!("postgres://keyward@{}/{rest}", proxy.address());
        let directory = tempfile::TempDir::with_prefix("keyward-test-").unwrap();
        let mut command = ServerProcess::command(Path::new(PROGRAM), &url, directory.path());
        let log = std::fs::File::create(Self::log_of(directory.path())).unwrap();
        let server = ServerProcess::run(command.args(["--log-filter", "warn"]).stderr(log));
        let session = server.first_session();
        Some(Self { postgres, proxy, server, session, _directory: directory })
    }

    fn log_of(directory: &Path) -> PathBuf {
        directory.join("log")
    }

    fn begin(&mut self, fault: Fault) {
        match fault {
            Fault::Frozen => self.postgres.freeze(),
            Fault::Stopped => self.postgres.stop(),
            Fault::Refused => self.proxy.refuse(),
            Fault::Lost => self.proxy.lose(),
        }
    }

    fn end(&mut self, fault: Fault) {
        match fault {
            Fault::Frozen => self.postgres.thaw(),
            Fault::Stopped => self.postgres.resume(),
            Fault::Refused | Fault::Lost => self.proxy.heal(),
        }
    }

    fn connect(&self) -> Wire {
        Wire::connect(self.server.address()).unwrap()
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> WireAnswer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.connect().call(&request(method, path, &self.session, &body)).unwrap()
    }
}

/// Calls until `until` is set. Returns the time and the answer of each call.
fn hammer(mut wire: Wire, key: &str, until: &AtomicBool) -> Vec<(Duration, WireAnswer)> {
    let mut answers = Vec::new();
    while !until.load(Ordering::SeqCst) {
        let began = Instant::now();
        let answer = wire.call(&request("GET", "/api/v2/users/me", key, "")).unwrap();
        answers.push((began.elapsed(), answer));
        // A client waits before it tries again.
        std::thread::sleep(Duration::from_millis(100));
    }
    answers
}

fn survive(fault: Fault) {
    let Some(mut stage) = Stage::new() else { return };
    let ended = AtomicBool::new(false);
    let (first, later, ready) = std::thread::scope(|scope| {
        let wires: Vec<Wire> = (0..CLIENTS).map(|_| stage.connect()).collect();
        stage.begin(fault);
        let (key, ended) = (stage.session.as_str(), &ended);
        let clients: Vec<_> = wires.into_iter().map(|wire| scope.spawn(move || hammer(wire, key, ended))).collect();
        let began = Instant::now();
        let ready = stage.call("GET", "/readyz", &Value::Null);
        assert!(began.elapsed() < Duration::from_secs(2), "{fault:?}: /readyz took {:?}", began.elapsed());
        assert_eq!(stage.call("GET", "/healthz", &Value::Null).status, 200);
        std::thread::sleep(Duration::from_secs(8));
        ended.store(true, Ordering::SeqCst);
        let (mut first, mut later) = (Vec::new(), Vec::new());
        for client in clients {
            let mut answers = client.join().unwrap().into_iter();
            first.extend(answers.next());
            later.extend(answers);
        }
        (first, later, ready)
    });
    let slowest = |answers: &[(Duration, WireAnswer)]| answers.iter().map(|(took, _)| *took).max().unwrap();
    println!(
        "{fault:?}: slowest first answer {:?}, slowest of {} later ones {:?}",
        slowest(&first),
        later.len(),
        slowest(&later)
    );
    assert!(first.len() == CLIENTS && later.len() > CLIENTS * 10);
    assert!(slowest(&first) <= AT_FIRST, "{fault:?}: {:?}", slowest(&first));
    assert!(slowest(&later) <= ONCE_KNOWN, "{fault:?}: {:?}", slowest(&later));
    for (_, answer) in first.iter().chain(&later) {
        assert_eq!(answer.expect(503)["code"], "unavailable", "{fault:?}");
        assert!(answer.header("retry-after").is_some());
    }
    let parts = ready.expect(503);
    assert_eq!((&parts["database"], &parts["clock"]), (&json!("unavailable"), &json!("following")), "{parts}");

    stage.end(fault);
    let began = Instant::now();
    while stage.call("GET", "/api/v2/users/me", &Value::Null).status != 200 {
        assert!(began.elapsed() < Duration::from_secs(20), "{fault:?}: it does not recover");
        std::thread::sleep(Duration::from_millis(20));
    }
    println!("{fault:?}: recovered after {:?}", began.elapsed());
    if fault != Fault::Stopped {
        // A PostgreSQL that starts takes its own time.
        assert!(began.elapsed() <= RECOVERED_WITHIN, "{fault:?}: {:?}", began.elapsed());
    }

    stage.begin(fault);
    let mut wire = stage.connect();
    wire.send(&request("GET", "/api/v2/users/me", &stage.session, "")).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    let began = Instant::now();
    stage.server.tell_to_stop();
    let status = stage.server.ended();
    println!("{fault:?}: stopped after {:?}", began.elapsed());
    assert!(
        status.success() && began.elapsed() <= Duration::from_secs(10),
        "{fault:?}: {status} {:?}",
        began.elapsed()
    );
}

#[test]
fn a_frozen_database_is_known_and_left() {
    survive(Fault::Frozen);
}

#[test]
fn a_stopped_database_is_known_and_found_again() {
    survive(Fault::Stopped);
}

#[test]
fn a_refused_connection_is_known_and_made_again() {
    survive(Fault::Refused);
}

#[test]
fn a_network_that_loses_everything_is_known_and_left() {
    survive(Fault::Lost);
}

#[test]
fn a_slow_network_delays_no_answer_beyond_its_time() {
    let Some(stage) = Stage::new() else { return };
    stage.proxy.delay(Duration::from_secs(2));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for (method, path) in [("GET", "/api/v2/users/me"), ("POST", "/api/v2/users/me/keys/tokens")] {
                    let began = Instant::now();
                    let body = if method == "POST" { json!({}) } else { Value::Null };
                    let answer = stage.call(method, path, &body);
                    assert!(began.elapsed() <= AT_FIRST, "{method} {path}: {:?}", began.elapsed());
                    assert!([200, 201, 503].contains(&answer.status), "{}", answer.text);
                }
            });
        }
    });
}

#[test]
fn a_commit_without_a_reply_is_unknown() {
    let Some(stage) = Stage::new() else { return };
    let created = stage.call("POST", "/api/v2/users/me/keys/tokens", &json!({})).expect(201);
    let path = format!("/api/v2/users/me/keys/{}", created["id"].as_str().unwrap());
    stage.proxy.reset_after(b"COMMIT");
    let unknown = stage.call("PUT", &format!("{path}/expire"), &Value::Null);
    let problem = unknown.expect(503);
    assert_eq!(problem["code"], "outcome_unknown", "{problem}");
    assert!(problem["hint"].as_str().unwrap().contains("before you try again"));
    // It was committed, and nobody accepts the key.
    let used = stage.connect().call(&request("GET", "/api/v2/users/me", created["key"].as_str().unwrap(), ""));
    assert_eq!(used.unwrap().expect(401)["code"], "key_expired");
    assert_eq!(stage.call("PUT", &format!("{path}/expire"), &Value::Null).status, 204);
}
