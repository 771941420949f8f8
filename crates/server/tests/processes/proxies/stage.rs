//! A server, an application and a proxy in front of it, with keys to try.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use keyward_test_support::{Backend, ServerProcess, TIMEOUT, TestDatabase, Wire, WireAnswer, request};
use serde_json::{Value, json};

use super::program::{Program, Proxy};
use super::responder::{Responder, answer_as_application};
use super::{IDENTITY, values};
use crate::PROGRAM;

/// A proxy between clients and an application, and a server that it asks.
pub(super) struct Stage {
    pub(super) program: Program,
    pub(super) file: PathBuf,
    pub(super) proxy: Proxy,
    pub(super) application: Responder,
    pub(super) server: Option<ServerProcess>,
    pub(super) address: SocketAddr,
    pub(super) log: PathBuf,
    pub(super) session: String,
    /// A key that the proxy accepts.
    pub(super) good: Key,
    /// A key that the proxy accepts, with an allow list.
    pub(super) narrow: Key,
    /// A key without the scope.
    pub(super) less: Key,
    pub(super) _database: TestDatabase,
}

#[derive(Debug)]
pub(super) struct Key {
    pub(super) id: String,
    pub(super) user_id: String,
    pub(super) key: String,
}

impl Stage {
    pub(super) fn new(program: Program, file: PathBuf) -> Option<Self> {
        let database = TestDatabase::create(Backend::Sqlite)?;
        let log = database.directory().join("log");
        let mut command = ServerProcess::command(Path::new(PROGRAM), database.url(), database.directory());
        command.args(["--trusted-proxies", "127.0.0.1", "--log-format", "json"]).stderr(File::create(&log).unwrap());
        let server = ServerProcess::run(&mut command);
        let (session, address) = (server.first_session(), server.address());
        let application = Responder::start(answer_as_application);
        let create = |body: &Value| create(address, &session, body);
        Some(Self {
            proxy: Proxy::start(program, &file, address, application.address),
            good: create(&json!({ "scopes": ["workspace:read"] })),
            narrow: create(&json!({ "scopes": ["workspace:read"], "allow_list": ["workspace:w1"] })),
            less: create(&json!({ "scopes": ["template:read"] })),
            program,
            file,
            application,
            server: Some(server),
            address,
            log,
            session,
            _database: database,
        })
    }

    /// Sends a request through the proxy.
    #[track_caller]
    pub(super) fn call(&self, message: &str) -> WireAnswer {
        self.proxy.call(message).unwrap()
    }

    /// Sends a request that must not reach the application.
    #[track_caller]
    pub(super) fn refused(&self, message: &str) -> WireAnswer {
        let before = self.application.seen().len();
        let answer = self.call(message);
        assert_eq!(self.application.seen().len(), before, "it reached the application: {message}");
        answer
    }

    /// Sends a request to the server itself.
    pub(super) fn keyward(&self, method: &str, path: &str, body: &str) -> WireAnswer {
        Wire::connect(self.address).unwrap().call(&request(method, path, &self.session, body)).unwrap()
    }

    pub(super) fn create(&self, body: &Value) -> Key {
        create(self.address, &self.session, body)
    }

    /// Asserts that the application got the key's user in each header once.
    #[track_caller]
    pub(super) fn assert_identifies(&self, seen: &Value, key: &Key) {
        for (name, value) in IDENTITY.into_iter().zip(["owner", &key.user_id, &key.id, "workspace:read"]) {
            assert_eq!(values(seen, name), [value], "{name}: {seen}");
        }
    }

    /// The lines of the request log with a trace id. Waits for the first.
    pub(super) fn log_of(&self, trace: &str) -> Vec<Value> {
        let began = Instant::now();
        loop {
            let log = fs::read_to_string(&self.log).unwrap();
            let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let lines: Vec<Value> = lines.filter(|line| line["trace_id"] == trace).collect();
            if !lines.is_empty() {
                return lines;
            }
            assert!(began.elapsed() < TIMEOUT, "{trace} is not logged: {log}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

pub(super) fn create(address: SocketAddr, session: &str, body: &Value) -> Key {
    let message = request("POST", "/api/v2/users/me/keys/tokens", session, &body.to_string());
    let created = Wire::connect(address).unwrap().call(&message).unwrap().expect(201);
    let text = |field: &str| created[field].as_str().unwrap().to_owned();
    Key { id: text("id"), user_id: text("user_id"), key: text("key") }
}
