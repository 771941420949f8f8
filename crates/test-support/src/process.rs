//! The server as a separate process, so that tests can kill it.

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
    /// Its URL, such as `http://127.0.0.1:12345`.
    pub url: String,
}

impl ServerProcess {
    /// Starts the program on a free port and waits for its "listening on" line.
    #[must_use]
    pub fn start(program: &Path, database_url: &str, data_dir: &Path) -> Self {
        Self::run(Self::command(program, database_url, data_dir).args(["--log-filter", "warn"]))
    }

    /// The program with the flags for a database and a free port.
    #[must_use]
    pub fn command(program: &Path, database_url: &str, data_dir: &Path) -> Command {
        let mut command = Command::new(program);
        command.args(["--listen", "127.0.0.1:0", "--database-url", database_url]).arg("--data-dir").arg(data_dir);
        command
    }

    /// Starts a command of [`Self::command`] and waits for its "listening on" line.
    #[must_use]
    pub fn run(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the server's program");
        let stdout = child.stdout.take().expect("its output");
        let mut first = String::new();
        BufReader::new(stdout).read_line(&mut first).expect("its first line");
        let url = first.trim().strip_prefix("listening on ").expect("the \"listening on\" line").to_owned();
        Self { child, url }
    }

    /// The process ID.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The address it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.url.trim_start_matches("http://").parse().expect("an address")
    }

    /// Creates the first user, `owner`, logs in and returns the session token.
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

    /// Sends `SIGTERM` and returns at once.
    pub fn tell_to_stop(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("a signal");
    }

    /// Waits until the process has ended.
    #[must_use]
    pub fn ended(mut self) -> ExitStatus {
        self.child.wait().expect("its end")
    }

    /// Kills the process (`SIGKILL`), as a crash would.
    pub fn kill(mut self) {
        self.child.kill().expect("a signal");
        self.child.wait().expect("its end");
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // The process may have ended already.
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}
