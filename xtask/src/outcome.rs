//! The result of a task: success, wrong usage, or a failure with a message.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// The result of a task, or of a part of one.
pub(crate) type Outcome = Result<(), Failure>;

/// Why a task failed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The arguments are wrong: exit code 2.
    Usage(String),
    /// A check found faults, or the task could not run: exit code 1.
    Failed(String),
}

impl Failure {
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }

    /// For `map_err`: names the action that failed and the system's error.
    pub(crate) fn io(doing: impl fmt::Display) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Failed(format!("cannot {doing}: {error}"))
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Failed(_) => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) | Self::Failed(message) => f.write_str(message),
        }
    }
}

/// All faults that a check found, as one failure; `Ok` if there are none.
pub(crate) fn faults(check: &str, faults: &[String]) -> Outcome {
    if faults.is_empty() {
        return Ok(());
    }
    Err(Failure::Failed(format!("{check} found {} fault(s):\n  {}", faults.len(), faults.join("\n  "))))
}

/// Refuses arguments of a task that takes none. A mistyped one must not look like a check that passed.
pub(crate) fn no_arguments(task: &str, arguments: &[String]) -> Outcome {
    match arguments.first() {
        None => Ok(()),
        Some(first) => Err(Failure::Usage(format!("`{task}` takes no arguments, not \"{first}\""))),
    }
}
