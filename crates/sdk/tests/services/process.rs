//! An example service as a separate process.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A running example. Killed when dropped.
#[derive(Debug)]
pub(crate) struct ServiceProcess {
    child: Child,
    /// Its URL, such as `http://127.0.0.1:12345`.
    pub(crate) url: String,
}

impl ServiceProcess {
    /// Starts it on a free port and waits for its "listening on" line.
    pub(crate) fn start(example: &str, keyward: &str, token: &str) -> Self {
        let program = program(example);
        let mut child = Command::new(&program)
            .args(["--listen", "127.0.0.1:0"])
            .env("KEYWARD_URL", keyward)
            .env("KEYWARD_TOKEN", token)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; `cargo test` without --test builds it", program.display()));
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let url = first.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { child, url }
    }

    /// Stops it with `SIGTERM` and waits until it has exited successfully.
    pub(crate) fn end(mut self) {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(asked.success());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for ServiceProcess {
    fn drop(&mut self) {
        // The process may have exited already.
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// Cargo builds examples next to the folder of the tests.
fn program(example: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().parent().unwrap().join("examples").join(example)
}
