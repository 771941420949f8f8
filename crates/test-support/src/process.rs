//! The server as a process of its own, to be killed.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::app::PASSWORD;
use crate::wire::{Wire, request};

/// A running `keyward-server`. Killed when dropped.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    /// Its address, as in `http://127.0.0.1:12345`.
    pub url: String,
}

impl ServerProcess {
    /// Starts the program on a free port, and waits until it says that it listens.
    #[must_use]
    pub fn start(program: &Path, database_url: &str, data_dir: &Path) -> Self {
        let mut child = Command::new(program)
            .args(["--listen", "127.0.0.1:0", "--log-filter", "warn"])
            .args(["--database-url", database_url])
            .arg("--data-dir")
            .arg(data_dir)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server's program");
        let stdout = child.stdout.take().expect("its output");
        let mut first = String::new();
        BufReader::new(stdout).read_line(&mut first).expect("its first line");
        let url = first.trim().strip_prefix("listening on ").expect("the line that says where it listens").to_owned();
        Self { child, url }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.url.trim_start_matches("http://").parse().expect("an address")
    }

    /// Creates the first user, `owner`, and logs in: the session's key.
    #[must_use]
    pub fn first_session(&self) -> String {
        let mut wire = Wire::connect(self.address()).expect("a connection");
        let body = json!({ "email": "owner@example.com", "username": "owner", "password": PASSWORD });
        let created = wire.call(&request("POST", "/api/v2/users/first", "", &body.to_string()));
        created.expect("an answer").expect(201);
        let body = json!({ "email": "owner", "password": PASSWORD });
        let login = wire.call(&request("POST", "/api/v2/users/login", "", &body.to_string()));
        login.expect("an answer").expect(201)["session_token"].as_str().expect("a session").to_owned()
    }

    /// Tells it to stop (`SIGTERM`), and returns at once.
    pub fn tell_to_stop(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("a signal");
    }

    /// Waits until it has ended.
    #[must_use]
    pub fn ended(mut self) -> ExitStatus {
        self.child.wait().expect("its end")
    }

    /// Ends it without a word (`SIGKILL`), as a crash does.
    pub fn kill(mut self) {
        self.child.kill().expect("a signal");
        self.child.wait().expect("its end");
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // It may be gone already.
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}
