//! Reasons for rejecting a key.

use keyward_domain::Timestamp;

use crate::error::Error;

/// Why a key is rejected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// The key is malformed or unknown, or its secret is wrong. The cases are not distinguished.
    #[error("the key is invalid")]
    Invalid,
    /// The key expired at this time.
    #[error("the key expired at {0}")]
    Expired(Timestamp),
    /// The key's user is suspended.
    #[error("the key's user is suspended")]
    UserSuspended,
    /// The key lacks this scope.
    #[error("the key lacks the scope \"{0}\"")]
    InsufficientScope(String),
    /// The key's allow list does not cover this resource. No allow list covers a malformed resource.
    #[error("the key's allow list does not cover \"{0}\"")]
    ResourceNotAllowed(String),
    /// The required scope is malformed, which is a mistake in the calling program.
    #[error("\"{0}\" is not a scope; use one such as workspace:read")]
    UnreadableNeed(String),
    /// The verifier had to ask the server and got no answer. An unverified key is rejected.
    #[error("cannot verify the key: {0}")]
    Unavailable(#[source] Box<Error>),
}
