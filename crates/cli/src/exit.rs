//! The exit codes of the program.

use std::process::ExitCode;

/// How a run of the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// The command succeeded.
    Done = 0,
    /// The command failed on this machine, or the server refused the request.
    Failed = 1,
    /// The command line is invalid.
    Usage = 2,
    /// The resource does not exist, or the caller may not see it.
    NotFound = 3,
    /// The caller is not logged in or not allowed, or no server or session is configured.
    NotAllowed = 4,
    /// A name is taken, or the state of the resource forbids the change.
    Conflict = 5,
    /// The server cannot be reached, or cannot answer for now.
    Unreachable = 6,
}

impl Exit {
    /// The exit code for an error response with this HTTP status.
    pub(crate) fn of_status(status: u16) -> Self {
        match status {
            401 | 403 => Self::NotAllowed,
            404 => Self::NotFound,
            409 => Self::Conflict,
            503 => Self::Unreachable,
            // Any other status still means that the server read the request and refused it.
            _ => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
