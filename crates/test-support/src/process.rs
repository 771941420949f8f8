//! The server as a process of its own, to be killed.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

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
