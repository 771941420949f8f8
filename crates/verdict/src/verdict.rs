//! The result of judging a use of a key.

use keyward_domain::Timestamp;

/// The judgement on a use of a key whose secret is right. Its `Display` is one sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Verdict {
    /// The key is accepted.
    #[error("The API key is valid.")]
    Valid,
    /// The key expired at this instant.
    #[error("API key expired at \"{0}\".")]
    Expired(Timestamp),
    /// The key's owner is suspended.
    #[error("User is not active.")]
    UserSuspended,
    /// A lock refuses the key; it says this.
    #[error("{0}")]
    Locked(String),
    /// The key lacks this scope.
    #[error("The API key lacks the scope \"{0}\".")]
    InsufficientScope(String),
    /// The key's allow list does not cover this resource.
    #[error("The API key's allow list does not cover \"{0}\".")]
    ResourceNotAllowed(String),
    /// The need has an invalid scope: an error of the calling program.
    #[error("\"{0}\" is not a scope, such as workspace:read.")]
    UnreadableNeed(String),
}

impl Verdict {
    /// The verdict's code for programs, as in the error codes of Keyward's API.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Expired(_) => "key_expired",
            Self::UserSuspended => "user_suspended",
            Self::Locked(_) => "locked",
            Self::InsufficientScope(_) => "insufficient_scope",
            Self::ResourceNotAllowed(_) => "resource_not_allowed",
            Self::UnreadableNeed(_) => "invalid_scope",
        }
    }
}
