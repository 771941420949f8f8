//! How a task ends: well, called wrongly, or failed with a sentence that says what to do.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// The result of a task, or of a part of one.
pub(crate) type Outcome = Result<(), Failure>;

/// Why a task did not end well.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It was called wrongly: exit code 2.
    Usage(String),
    /// It found a fault, or could not do its work: exit code 1.
    Failed(String),
}

impl Failure {
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }

    /// For `map_err`: what could not be done, and the system's reason.
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

/// All the faults that a check found, as one failure; none is none.
pub(crate) fn faults(check: &str, faults: &[String]) -> Outcome {
    if faults.is_empty() {
        return Ok(());
    }
    Err(Failure::Failed(format!("{check} found {}:\n  {}", faults.len(), faults.join("\n  "))))
}

/// For tasks that take no arguments: a mistyped one must not pass for a check that was made.
pub(crate) fn no_arguments(task: &str, arguments: &[String]) -> Outcome {
    match arguments.first() {
        None => Ok(()),
        Some(first) => Err(Failure::Usage(format!("`{task}` takes no arguments, not \"{first}\""))),
    }
}
