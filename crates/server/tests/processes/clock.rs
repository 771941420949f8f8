//! A server whose wall clock is wrong, by libfaketime.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use keyward_test_support::{Backend, PASSWORD, ServerProcess, TestDatabase, Wire, request};
use serde_json::{Value, json};

use crate::PROGRAM;

/// A database, and a file with the offset of the clock of its servers.
struct Machine {
    database: TestDatabase,
    offset: PathBuf,
}

impl Machine {
    /// None if the database, or libfaketime, cannot be had. With `CI=true` that is a failure.
    fn new(backend: Backend) -> Option<Self> {
        if library().is_none() {
            assert!(std::env::var_os("CI").is_none(), "libfaketime is missing: install Debian's package faketime");
            println!("skipped: libfaketime is missing");
            return None;
        }
        let database = TestDatabase::create(backend)?;
        let offset = database.directory().join("offset");
        let machine = Self { database, offset };
        machine.set_clock("+0");
        Some(machine)
    }

    /// Sets the wall clock of every server and command.
    fn set_clock(&self, offset: &str) {
        let new = self.offset.with_extension("new");
        fs::write(&new, format!("{offset}\n")).unwrap();
        fs::rename(new, &self.offset).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = ServerProcess::command(Path::new(PROGRAM), self.database.url(), self.database.directory());
        command
            .env("LD_PRELOAD", library().unwrap())
            .env("FAKETIME_TIMESTAMP_FILE", &self.offset)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        command
    }

    fn start(&self) -> ServerProcess {
        ServerProcess::run(self.command().args(["--log-filter", "error"]))
    }

    /// Runs a command of an operator.
    fn operate(&self, args: &[&str]) -> Output {
        self.command().args(args).output().unwrap()
    }
}

fn library() -> Option<PathBuf> {
    let folders = ["/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime"];
    folders.iter().map(|folder| Path::new(folder).join("libfaketimeMT.so.1")).find(|file| file.exists())
}

fn call(server: &ServerProcess, method: &str, path: &str, token: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let answer = Wire::connect(server.address()).unwrap().call(&request(method, path, token, &body)).unwrap();
    (answer.status, serde_json::from_str(&answer.text).unwrap_or_default())
}

fn verifies(server: &ServerProcess, token: &str) -> bool {
    call(server, "GET", "/api/v2/users/me", token, &Value::Null).0 == 200
}

fn token(server: &ServerProcess, session: &str) -> String {
    let (status, created) = call(server, "POST", "/api/v2/users/me/keys/tokens", session, &json!({}));
    assert_eq!(status, 201, "{created}");
    created["key"].as_str().unwrap().to_owned()
}

/// Waits until `/readyz` says this of the clock.
fn wait_for_clock(server: &ServerProcess, state: &str) {
    let began = Instant::now();
    loop {
        let (status, ready) = call(server, "GET", "/readyz", "", &Value::Null);
        assert_eq!(status, 200, "{ready}");
        if ready["clock"] == state {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "the clock is never {state}: {ready}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_clock_that_steps_and_returns_ends_no_key_on_sqlite() {
    step(Backend::Sqlite);
}

#[test]
fn a_clock_that_steps_and_returns_ends_no_key_on_postgres() {
    step(Backend::Postgres);
}

fn step(backend: Backend) {
    let Some(machine) = Machine::new(backend) else { return };
    let server = machine.start();
    let session = server.first_session();
    let key = token(&server, &session);
    for offset in ["+400d", "-400d"] {
        machine.set_clock(offset);
        wait_for_clock(&server, "held");
        assert!(verifies(&server, &key) && verifies(&server, &session), "{offset}");
        let lapsed = call(&server, "POST", "/api/v2/users/me/keys/tokens", &session, &json!({}));
        assert_eq!(lapsed.0, 201, "{lapsed:?}");
        let metrics = Wire::connect(server.address()).unwrap().call(&request("GET", "/metrics", "", "")).unwrap();
        let line = metrics.text.lines().find(|line| line.starts_with("keyward_clock_step_seconds")).unwrap();
        assert!(line.contains("34560000") || line.contains("34559999"), "{line}");
        machine.set_clock("+0");
        wait_for_clock(&server, "following");
        assert!(verifies(&server, &key) && verifies(&server, &session), "{offset}");
    }
    let (_, log) = call(&server, "GET", "/api/v2/audit?q=resource_type:clock", &session, &Value::Null);
    assert_eq!(log["count"], 0, "{log}");
}

#[test]
fn a_server_that_started_with_a_clock_ahead_stops_no_later_one_on_sqlite() {
    ahead(Backend::Sqlite);
}

#[test]
fn a_server_that_started_with_a_clock_ahead_stops_no_later_one_on_postgres() {
    ahead(Backend::Postgres);
}

fn ahead(backend: Backend) {
    let Some(machine) = Machine::new(backend) else { return };
    let missing = machine.operate(&["accept-clock"]);
    assert_eq!(missing.status.code(), Some(1));
    let error = String::from_utf8(missing.stderr).unwrap();
    assert!(error.contains("no database at "), "{error}");
    let server = machine.start();
    let session = server.first_session();
    let key = token(&server, &session);
    stop(server);

    machine.set_clock("+365d");
    let server = machine.start();
    assert!(!verifies(&server, &key), "its clock is past the key's expiry");
    stop(server);
    machine.set_clock("+0");
    let server = machine.start();
    assert!(verifies(&server, &key), "no record was removed");
    stop(server);

    machine.set_clock("+365d");
    let server = machine.start();
    let login = json!({ "email": "owner", "password": PASSWORD });
    assert_eq!(call(&server, "POST", "/api/v2/users/login", "", &login).0, 201);
    stop(server);
    machine.set_clock("+0");
    let refused = machine.operate(&[]);
    let error = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{error}");
    assert!(error.contains("the newest audit entry is from ") && error.contains("accept-clock"), "{error}");
    let accepted = machine.operate(&["accept-clock"]);
    assert!(accepted.status.success(), "{accepted:?}");
    let again = machine.operate(&["accept-clock"]);
    assert!(String::from_utf8(again.stdout).unwrap().contains("nothing to accept"));
    let server = machine.start();
    assert!(verifies(&server, &key));
    let (_, log) = call(&server, "GET", "/api/v2/audit?q=resource_type:clock", &session, &Value::Null);
    assert_eq!((log["count"].as_u64(), &log["audit_logs"][0]["user"]), (Some(1), &Value::Null), "{log}");
    stop(server);
    machine.set_clock("-1h");
    assert_eq!(machine.operate(&[]).status.code(), Some(1), "entries after the acceptance count");
}

fn stop(server: ServerProcess) {
    server.tell_to_stop();
    assert!(server.ended().success());
}
