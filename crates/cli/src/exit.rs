//! Exit codes: what the shell is told, in one place.

use std::process::ExitCode;

/// How a run of the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// It failed here, or the server refused it.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// There is no such thing, or it is not to be seen.
    NotFound = 3,
    /// Not signed in or not allowed; also: no server or no session is known.
    NotAllowed = 4,
    /// A name is taken, or the state does not allow it.
    Conflict = 5,
    /// The server is out of reach.
    Unreachable = 6,
}

impl Exit {
    /// How a run ends that the server answered with an error of this HTTP status.
    pub(crate) fn of_status(status: u16) -> Self {
        match status {
            401 | 403 => Self::NotAllowed,
            404 => Self::NotFound,
            409 => Self::Conflict,
            // Whatever else the server says, it read the request and did not do it.
            _ => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
