//! Why a key is not accepted.

use keyward_domain::Timestamp;

use crate::error::Error;

/// Why a key is not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// Malformed, unknown, or the secret is wrong: all alike.
    #[error("the key is invalid")]
    Invalid,
    /// It is over since then.
    #[error("the key expired at {0}")]
    Expired(Timestamp),
    /// Its user is suspended.
    #[error("the key's user is suspended")]
    UserSuspended,
    /// It lacks this scope.
    #[error("the key lacks the scope \"{0}\"")]
    InsufficientScope(String),
    /// Its allow list does not cover this. A text that is not of the form of a thing is covered by
    /// none.
    #[error("the key's allow list does not cover \"{0}\"")]
    ResourceNotAllowed(String),
    /// What it is needed for is not a scope: a mistake of the program's.
    #[error("\"{0}\" is not a scope, such as workspace:read")]
    UnreadableNeed(String),
    /// The server had to be asked and could not be. Not known to be good is not accepted.
    #[error("the key could not be judged: {0}")]
    Unavailable(#[source] Box<Error>),
}
