//! The programs that read the files in `deploy/`. Without one of them its checks are skipped with a
//! notice; with `CI=true` that is a failure.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::outcome::{Failure, Outcome};

/// A program, and the Debian package that has it.
pub(super) struct Tool {
    pub(super) program: &'static str,
    pub(super) package: &'static str,
}

impl Tool {
    /// Whether the program is installed.
    pub(super) fn find(&self) -> Result<bool, Failure> {
        let found = answers(Command::new(self.program).arg("--version"));
        if !found {
            missing(self.program, self.package)?;
        }
        Ok(found)
    }
}

/// A Python with the parser of Prometheus' client library.
pub(super) struct Python(&'static str);

impl Python {
    const PACKAGE: &str = "python3-prometheus-client";

    /// Debian installs the library for its own Python. Another one may be first in PATH.
    const PROGRAMS: [&str; 2] = ["python3", "/usr/bin/python3"];

    /// The Python; `None` if it or the library is not installed.
    pub(super) fn find() -> Result<Option<Self>, Failure> {
        let import = ["-c", "import prometheus_client.openmetrics.parser"];
        let found = Self::PROGRAMS.into_iter().find(|program| answers(Command::new(program).args(import)));
        if found.is_none() {
            missing("the Python library prometheus_client", Self::PACKAGE)?;
        }
        Ok(found.map(Self))
    }

    /// Runs a script on a text and returns its stdout. `what` names the text in the error.
    pub(super) fn run(&self, script: &str, text: &str, what: &str) -> Result<String, Failure> {
        let cannot_run = || format!("run {}", self.0);
        let mut python = Command::new(self.0);
        python.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = python.spawn().map_err(Failure::io(cannot_run()))?;
        if let Some(mut stdin) = running.stdin.take() {
            // The scripts read everything before they write. One that ends early prints the reason, so an
            // error here says less.
            let _written = stdin.write_all(text.as_bytes());
        }
        let output = running.wait_with_output().map_err(Failure::io(cannot_run()))?;
        if !output.status.success() {
            return Err(Failure::Failed(format!("Python cannot read {what}; the reason is above")));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// Runs a program, and returns what it writes to stderr. Prints its stdout only if it fails, because the
/// table of `systemd-analyze` has 80 lines.
pub(super) fn run(program: &str, arguments: &[&str]) -> Result<String, Failure> {
    let shown = format!("{program} {}", arguments.join(" "));
    let output = Command::new(program).args(arguments).output().map_err(Failure::io(format_args!("run `{shown}`")))?;
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        eprintln!("{}{}", String::from_utf8_lossy(&output.stdout), errors.trim_end());
        return Err(Failure::Failed(format!("`{shown}` failed: {}; its output is above", output.status)));
    }
    Ok(errors)
}

fn answers(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|done| done.success())
}

/// Fails with `CI=true`; else prints a notice in capitals.
fn missing(what: &str, package: &str) -> Outcome {
    let message = format!("{what} is not installed; install the Debian package {package}");
    if std::env::var("CI").as_deref() == Ok("true") {
        return Err(Failure::Failed(message));
    }
    eprintln!("!!! CHECKS OF deploy/ ARE SKIPPED: {message} !!!");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_returned_and_a_failure_is_named() {
        assert_eq!(run("sh", &["-c", "echo table; echo warning >&2"]).unwrap(), "warning\n");
        let failure = run("sh", &["-c", "exit 3"]).unwrap_err();
        assert_eq!(failure, Failure::failed("`sh -c exit 3` failed: exit status: 3; its output is above"));
    }

    #[test]
    fn a_program_that_is_missing_does_not_answer() {
        assert!(answers(Command::new("sh").args(["-c", "exit 0"])));
        assert!(!answers(Command::new("sh").args(["-c", "exit 1"])));
        assert!(!answers(&mut Command::new("/nonexistent")));
    }
}
