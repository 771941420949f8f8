//! Ending 100 000 keys as one incident: the dry run, the run, other requests meanwhile, and the sealing.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark may panic, and prints its results"
)]

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use keyward_domain::{KeyKind, PlainKey, UserId};
use keyward_rig::bench::{Goal, Report, Size, databases, median, release_server, spaced, start_with_log, tidy};
use keyward_test_support::{KeyCopy, TestDatabase, Wire, request};
use serde_json::{Value, json};

/// Number of keys that are ended; fewer with `--quick`.
const KEYS: u32 = 100_000;

/// Number of their owners.
const USERS: usize = 1_000;

/// Number of tokens in the list that is requested meanwhile.
const LISTED: usize = 50;

/// Number of dry runs.
const DRY_RUNS: usize = 5;

/// Maximum time of the dry run, in seconds.
const DRY_RUN: f64 = 1.0;

/// Maximum time of the run, in seconds.
const RUN: f64 = 10.0;

/// Maximum 99th percentile of other requests meanwhile, in seconds.
const OTHERS: f64 = 0.1;

/// Maximum time from the end of the run until every audit entry is sealed, in seconds.
const SEALED: f64 = 2.0;

/// How often each of the other requests is sent. They should show how long the incident makes others wait, and
/// not use a processor of their own.
const EVERY: Duration = Duration::from_millis(10);

/// Delay between looks at the entries that are not sealed.
const PAUSE: Duration = Duration::from_millis(20);

/// Longer than sealing should ever take.
const PATIENCE: Duration = Duration::from_secs(300);

const EXPIRE: &str = "/api/v2/keys/expire";

fn main() -> ExitCode {
    let Some(size) = Size::from_args() else { return ExitCode::from(2) };
    let server = release_server();
    let keys = KEYS.min(size.many);
    let mut report = Report::default();
    for (name, database) in databases() {
        println!("\n{name}: making {} keys of {USERS} users", spaced(keys));
        incident(name, &database, keys, &server, &mut report);
    }
    report.print();
    ExitCode::SUCCESS
}

fn incident(name: &str, database: &TestDatabase, keys: u32, program: &Path, report: &mut Report) {
    let server = start_with_log(program, database);
    let session = server.first_session();
    let mut wire = Wire::connect(server.address()).unwrap();
    let mut post = |path: &str, body: &Value, status: u16| {
        wire.call(&request("POST", path, &session, &body.to_string())).unwrap().expect(status)
    };
    let spared = post("/api/v2/users/me/keys/tokens", &json!({ "token_name": "spared" }), 201);
    seed(database, &mut post, &spared, keys);

    let selector = json!({ "name": "leaked-" });
    let dry_run = json!({ "selector": selector, "dry_run": true });
    let mut times = Vec::new();
    let mut preview = Value::Null;
    for _ in 0..DRY_RUNS {
        let began = Instant::now();
        preview = post(EXPIRE, &dry_run, 200);
        times.push(began.elapsed());
        assert_eq!(preview["matched"], keys);
    }
    let what = format!("a dry run of {} keys by selector", spaced(keys));
    report.figure(name, &what, &seconds(&times), median(&times).as_secs_f64(), Goal::Seconds(DRY_RUN));

    let verify = json!({ "key": spared["key"] }).to_string();
    let others = [
        (
            "verifying another key",
            Other::start(server.address(), request("POST", "/api/v2/keys/verify", &session, &verify)),
        ),
        (
            "a list of 50 tokens",
            Other::start(server.address(), request("GET", "/api/v2/users/me/keys/tokens?limit=50", &session, "")),
        ),
    ];
    let run = json!({ "selector": selector, "reason": "compromised", "expect": preview["digest"] });
    let began = Instant::now();
    let done = post(EXPIRE, &run, 200);
    let ended = Instant::now();
    let others = others.map(|(what, other)| (what, other.stop()));
    let unsealed = await_sealed(database);
    let sealed = ended.elapsed();
    assert_eq!((&done["expired"], &done["already_expired"]), (&json!(keys), &json!(0)), "{done}");
    let entries = database.count("SELECT count(*) AS count FROM audit_logs WHERE event = 'key.expired'");
    assert_eq!(entries, i64::from(keys));

    let took = (ended - began).as_secs_f64();
    let rate = format!("{:.0} keys a second", f64::from(keys) / took);
    report.figure(name, &format!("ending {} keys", spaced(keys)), &rate, took, Goal::Seconds(RUN));
    for (what, times) in others {
        let figures = format!(
            "{} requests; the median {:.1} ms, the slowest {:.1} ms",
            times.len(),
            median(&times).as_secs_f64() * 1_000.0,
            times.iter().max().unwrap().as_secs_f64() * 1_000.0
        );
        report.figure(name, &format!("p99 of {what} meanwhile"), &figures, p99(&times), Goal::Seconds(OTHERS));
    }
    let figures = format!("{unsealed} entries were not sealed at the end of the run");
    report.figure(name, "until every entry is sealed", &figures, sealed.as_secs_f64(), Goal::Seconds(SEALED));
}

/// Makes the keys to end, and tokens for the list.
fn seed(database: &TestDatabase, post: &mut impl FnMut(&str, &Value, u16) -> Value, model: &Value, keys: u32) {
    let account = json!({ "username": "model", "email": "model@example.com", "login_type": "none" });
    let account = post("/api/v2/users", &account, 201);
    let users: Vec<_> = (0..USERS).map(|number| (UserId::random(), format!("user-{number}"))).collect();
    database.copy_user(account["id"].as_str().unwrap(), &users).unwrap();
    let model = model["id"].as_str().unwrap();
    let key = || PlainKey::generate(KeyKind::Token).expect("randomness");
    let copies: Vec<_> = (0..keys as usize)
        .map(|number| KeyCopy { key: key(), user: users[number % USERS].0, name: format!("leaked-{number}") })
        .collect();
    database.copy_live_key_to(model, &copies).unwrap();
    database.copy_live_key(model, &(1..LISTED).map(|_| key()).collect::<Vec<_>>()).unwrap();
    tidy(database);
}

/// Waits until no audit entry waits to be sealed. Returns how many did at first.
fn await_sealed(database: &TestDatabase) -> i64 {
    let deadline = Instant::now() + PATIENCE;
    let unsealed = || database.count("SELECT count(*) AS count FROM audit_unsealed");
    let first = unsealed();
    while unsealed() > 0 {
        assert!(Instant::now() < deadline, "timed out waiting until the audit log is sealed");
        std::thread::sleep(PAUSE);
    }
    first
}

/// A request that a thread sends regularly until it is stopped.
struct Other {
    stopped: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Duration>>,
}

impl Other {
    /// Starts once the first response has arrived.
    fn start(address: SocketAddr, request: String) -> Self {
        let mut wire = Wire::connect(address).unwrap();
        wire.call(&request).unwrap().expect(200);
        let stopped = Arc::new(AtomicBool::new(false));
        let own = Arc::clone(&stopped);
        let thread = std::thread::spawn(move || {
            let mut times = Vec::new();
            while !own.load(Ordering::Relaxed) {
                let began = Instant::now();
                wire.call(&request).unwrap().expect(200);
                times.push(began.elapsed());
                std::thread::sleep(EVERY.saturating_sub(began.elapsed()));
            }
            times
        });
        Self { stopped, thread }
    }

    /// Returns the times from request to response.
    fn stop(self) -> Vec<Duration> {
        self.stopped.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// The 99th percentile in seconds.
fn p99(times: &[Duration]) -> f64 {
    let mut times = times.to_vec();
    times.sort_unstable();
    times[(times.len() - 1) * 99 / 100].as_secs_f64()
}

fn seconds(times: &[Duration]) -> String {
    let times: Vec<_> = times.iter().map(|time| format!("{:.3}", time.as_secs_f64())).collect();
    format!("{} s", times.join(" / "))
}
