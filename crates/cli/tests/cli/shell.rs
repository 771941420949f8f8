//! Somebody's shell: a configuration directory of its own, and an environment that says nothing.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use keyward_domain::Lifetime;
use keyward_test_support::{Person, TestApp};
use tempfile::TempDir;

use crate::snapshot::{dedented, redacted};
use crate::words::words;

/// Where the program is run.
pub struct Shell {
    /// The configuration directory.
    pub dir: TempDir,
    variables: Vec<(&'static str, String)>,
}

/// How a run ended.
#[derive(Debug, PartialEq)]
pub struct Run {
    pub exit: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Shell {
    /// Nothing is stored.
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    /// This url and session are stored.
    pub fn stored(url: &str, session: &str) -> Self {
        let shell = Self::new();
        fs::write(shell.dir.path().join("url"), format!("{url}\n")).unwrap();
        fs::write(shell.dir.path().join("session"), format!("{session}\n")).unwrap();
        shell
    }

    /// Where this person of this server has logged in.
    pub fn of(app: &TestApp, person: &Person) -> Self {
        Self::stored(&app.url, &person.session)
    }

    /// Sets a variable.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// The program with the words of this line, and no stdin. Single quotes hold words together.
    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
        for name in ["KEYWARD_URL", "KEYWARD_SESSION_TOKEN", "KEYWARD_SETUP_CODE", "NO_COLOR", "TERM"] {
            command.env_remove(name);
        }
        command
            .env("KEYWARD_CONFIG_DIR", self.dir.path())
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.args(words(line)).stdin(Stdio::null());
        command
    }

    /// Runs it here and now: for tests without a server in this process.
    pub fn run(&self, line: &str) -> Run {
        Run::of(self.command(line).output().unwrap())
    }

    /// The same, with one more variable.
    pub fn run_with(&self, line: &str, variable: &str, value: &str) -> Run {
        Run::of(self.command(line).env(variable, value).output().unwrap())
    }

    /// The same, with something on stdin.
    pub fn run_reading(&self, line: &str, stdin: &str) -> Run {
        Run::reading(self.command(line), stdin.to_owned())
    }

    /// Runs it beside the server of the test.
    pub async fn keyward(&self, line: &str) -> Run {
        self.keyward_reading(line, "").await
    }

    /// The same, with something on stdin.
    pub async fn keyward_reading(&self, line: &str, stdin: &str) -> Run {
        let (command, stdin) = (self.command(line), stdin.to_owned());
        aside(move || Run::reading(command, stdin)).await
    }

    /// A file of the configuration directory, without its line end; none if it is not there.
    pub fn file(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.dir.path().join(name)).ok().map(|text| text.trim_end().to_owned())
    }
}

/// The permission bits of a file.
#[cfg(unix)]
pub fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Does what blocks on another thread, so that the server of the test goes on answering.
pub async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

/// Moves the clock to a whole second, so that all instants are equally wide.
pub fn whole_second(app: &TestApp) {
    const SECOND: i64 = 1_000_000;
    let past = app.service.now().as_micros().rem_euclid(SECOND);
    app.advance(Lifetime::from_nanos((SECOND - past) * 1_000).unwrap());
}

impl Run {
    /// What became of a command.
    pub fn of(output: Output) -> Self {
        Self {
            exit: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a command with something on stdin.
    pub fn reading(mut command: Command, stdin: String) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // The program may have ended without reading it.
        let _written = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        Self::of(child.wait_with_output().unwrap())
    }

    /// It failed with this exit code, with nothing on stdout, and said this on stderr.
    #[track_caller]
    pub fn failed(&self, exit: i32, said: &str) {
        assert_eq!(self.exit, Some(exit), "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        assert!(self.stderr.contains(said), "{self:?}");
    }

    /// It was done, with exactly this on stdout.
    #[track_caller]
    pub fn printed(&self, stdout: &str) {
        assert_eq!((self.exit, self.stdout.as_str()), (Some(0), stdout), "{self:?}");
    }

    /// It was done, with this JSON on stdout and nothing on stderr.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        self.json_saying("")
    }

    /// It was done, with JSON on stdout and this on stderr.
    #[track_caller]
    pub fn json_saying(&self, said: &str) -> serde_json::Value {
        assert_eq!((self.exit, self.stderr.as_str()), (Some(0), said), "{self:?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("not JSON: {error}: {self:?}"))
    }

    /// All of it is this: the lines on stdout, those on stderr with a `!` in front, the exit code.
    /// What differs from run to run stands in angle brackets.
    #[track_caller]
    pub fn is(&self, expected: &str) {
        let lines = self.stderr.lines().map(|line| format!("! {line}\n"));
        let exit = self.exit.map_or_else(|| "killed".to_owned(), |code| format!("exit {code}"));
        let seen = format!("{}{}{exit}", self.stdout, lines.collect::<String>());
        assert_eq!(redacted(&seen), dedented(expected), "\n{seen}");
    }
}
