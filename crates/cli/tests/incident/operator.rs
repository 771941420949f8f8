//! An operator at a shell: both programs, and the configuration of the command line.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::SERVER;
use crate::words::words;

/// Longer than any step takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Delay between tries of a command that waits for a background job of the server.
const PAUSE: Duration = Duration::from_millis(100);

/// A shell with a configuration directory of its own.
#[derive(Debug)]
pub(crate) struct Operator {
    dir: TempDir,
}

impl Operator {
    /// An operator who knows no server.
    pub(crate) fn new() -> Self {
        let dir = TempDir::with_prefix("keyward-operator-").unwrap();
        symlink(std::env::current_exe().unwrap(), dir.path().join(SERVER)).unwrap();
        Self { dir }
    }

    /// Stores this server and session, as `keyward login` does.
    pub(crate) fn log_in(&self, url: &str, session: &str) {
        fs::write(self.dir.path().join("url"), url).unwrap();
        fs::write(self.dir.path().join("session"), session).unwrap();
    }

    /// The program `keyward-server`.
    pub(crate) fn server(&self) -> PathBuf {
        self.dir.path().join(SERVER)
    }

    /// Writes a file, and returns its path.
    pub(crate) fn write(&self, name: &str, contents: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, contents).unwrap();
        path
    }

    /// Runs `keyward` with the words of this line; it must succeed. Returns its stdout.
    pub(crate) fn keyward(&self, line: &str) -> String {
        stdout(line, &self.command(line).output().unwrap())
    }

    /// The same, for a command that prints JSON.
    pub(crate) fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.keyward(line)).unwrap()
    }

    /// The same, with something on stdin.
    pub(crate) fn json_reading(&self, line: &str, stdin: &str) -> Value {
        let mut child = self.command(line).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        serde_json::from_str(&stdout(line, &child.wait_with_output().unwrap())).unwrap()
    }

    /// Repeats a command until it succeeds and `is_done` with what it prints.
    pub(crate) fn retry(&self, line: &str, is_done: impl Fn(&Value) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let output = self.command(line).output().unwrap();
            if output.status.success() {
                let text = stdout(line, &output);
                if is_done(&serde_json::from_str(&text).unwrap()) {
                    return text;
                }
            }
            assert!(Instant::now() < deadline, "timed out: keyward {line}: {output:?}");
            std::thread::sleep(PAUSE);
        }
    }

    /// Runs `keyward-server` with this command on a database; it must succeed. Returns its stdout.
    pub(crate) fn server_command(&self, command: &str, database_url: &str, data_dir: &Path) -> String {
        let mut program = Command::new(self.server());
        program.args([command, "--database-url", database_url, "--data-dir"]).arg(data_dir);
        stdout(command, &program.output().unwrap())
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
        for name in ["KEYWARD_URL", "KEYWARD_SESSION_TOKEN", "KEYWARD_SETUP_CODE"] {
            command.env_remove(name);
        }
        command.env("KEYWARD_CONFIG_DIR", self.dir.path()).args(words(line)).stdin(Stdio::null());
        command
    }
}

#[track_caller]
fn stdout(line: &str, output: &Output) -> String {
    assert!(output.status.success(), "keyward {line}: {output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}
