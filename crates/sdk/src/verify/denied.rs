//! Reasons for rejecting a key.

use std::fmt;

use keyward_domain::Timestamp;
use keyward_verdict::Verdict;

use crate::error::Error;

/// Why a key is not accepted.
#[derive(Debug)]
#[non_exhaustive]
pub enum Denied {
    /// Malformed, unknown, or the secret is wrong: all alike.
    Invalid,
    /// The key expired at this instant.
    Expired(Timestamp),
    /// The key's user is suspended.
    UserSuspended,
    /// A lock refuses the key; it says this.
    Locked(String),
    /// The key lacks this scope.
    InsufficientScope(String),
    /// The key's allow list does not cover this resource. No allow list covers a text that is not of
    /// the form of a resource.
    ResourceNotAllowed(String),
    /// The [`Need`](super::Need) names a scope that is none: a mistake of the program.
    UnreadableNeed(String),
    /// The server had to be asked and did not answer. A key that is not known to be good is not
    /// accepted.
    Unavailable(Box<Error>),
}

impl Denied {
    /// The denial that a verdict is, unless the key is valid.
    #[inline]
    pub(super) fn unless_valid(verdict: Verdict) -> Result<(), Self> {
        match verdict {
            Verdict::Valid => Ok(()),
            Verdict::Expired(at) => Err(Self::Expired(at)),
            Verdict::UserSuspended => Err(Self::UserSuspended),
            Verdict::Locked(message) => Err(Self::Locked(message)),
            Verdict::InsufficientScope(scope) => Err(Self::InsufficientScope(scope)),
            Verdict::ResourceNotAllowed(resource) => Err(Self::ResourceNotAllowed(resource)),
            Verdict::UnreadableNeed(text) => Err(Self::UnreadableNeed(text)),
        }
    }
}

impl fmt::Display for Denied {
    /// The words of the verdict, which are the server's too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self {
            Self::Invalid => return f.write_str("API key is invalid."),
            Self::Unavailable(error) => return write!(f, "cannot verify the key: {error}"),
            Self::Expired(at) => Verdict::Expired(*at),
            Self::UserSuspended => Verdict::UserSuspended,
            Self::Locked(message) => Verdict::Locked(message.clone()),
            Self::InsufficientScope(scope) => Verdict::InsufficientScope(scope.clone()),
            Self::ResourceNotAllowed(resource) => Verdict::ResourceNotAllowed(resource.clone()),
            Self::UnreadableNeed(text) => Verdict::UnreadableNeed(text.clone()),
        };
        verdict.fmt(f)
    }
}

impl std::error::Error for Denied {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unavailable(error) => Some(error),
            Self::Invalid
            | Self::Expired(_)
            | Self::UserSuspended
            | Self::Locked(_)
            | Self::InsufficientScope(_)
            | Self::ResourceNotAllowed(_)
            | Self::UnreadableNeed(_) => None,
        }
    }
}
