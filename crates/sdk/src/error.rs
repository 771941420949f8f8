//! What can go wrong with a call.

use std::fmt;
use std::time::Duration;

use keyward_api::Validation;

use crate::transport::TransportError;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No whole answer came. Of a change, it is not known whether it was made.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The server refused, or could not.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// An answer came and is not what the endpoint answers with: most likely another program's.
    #[error("the answer (status {status}) cannot be read: {reason}")]
    #[non_exhaustive]
    Decode {
        /// The HTTP status.
        status: u16,
        /// The body, or its first 4 KiB; empty where a success would hold a secret.
        body: String,
        /// What is wrong with it.
        reason: String,
        /// The request's id; empty if the answer had none.
        request_id: String,
    },
    /// Refused before a request was made.
    #[error(transparent)]
    InvalidInput(#[from] InvalidInput),
    /// The HTTP client or its TLS could not be set up.
    #[error("cannot set up the HTTP client: {0}")]
    Setup(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// Is there no such thing, or is it not to be seen (404)?
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(404)
    }

    /// Was no valid credential sent (401)?
    #[must_use]
    pub fn is_unauthorized(&self) -> bool {
        self.status() == Some(401)
    }

    /// May the one who asks not do this (403)?
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        self.status() == Some(403)
    }

    /// Is something in the way of it, such as a name that is taken (409)?
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.status() == Some(409)
    }

    /// The server's word for what went wrong, such as `not_found`: snake_case, stable.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Api(error) => Some(error.code.as_str()).filter(|code| !code.is_empty()),
            Self::Transport(_) | Self::Decode { .. } | Self::InvalidInput(_) | Self::Setup(_) => None,
        }
    }

    /// The HTTP status, if an answer came.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Api(error) => Some(error.status),
            Self::Decode { status, .. } => Some(*status),
            Self::Transport(_) | Self::InvalidInput(_) | Self::Setup(_) => None,
        }
    }

    /// The request's id, for the server's log and the audit log, if an answer came with one.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        let id = match self {
            Self::Api(error) => error.request_id.as_str(),
            Self::Decode { request_id, .. } => request_id.as_str(),
            Self::Transport(_) | Self::InvalidInput(_) | Self::Setup(_) => return None,
        };
        Some(id).filter(|id| !id.is_empty())
    }
}

/// The server's answer when it refused, or could not.
///
/// An answer that is not the server's own, such as a proxy's page, has no `code`; its beginning is
/// the `message`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// What went wrong, for programs: snake_case, stable.
    pub code: String,
    /// What went wrong, for people.
    pub message: String,
    /// More about it, for people.
    pub detail: Option<String>,
    /// What to do next.
    pub hint: Option<String>,
    /// Which fields of the request were wrong.
    pub validations: Vec<Validation>,
    /// The request's id, for the server's log and the audit log; empty if the answer had none.
    pub request_id: String,
    /// How long the server asks to be left alone.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for ApiError {
    /// One line: everything that was said, the status and the request's id.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(detail) = &self.detail {
            write!(f, " {detail}")?;
        }
        for wrong in &self.validations {
            write!(f, " {}: {}", wrong.field, wrong.detail)?;
        }
        if let Some(hint) = &self.hint {
            write!(f, " ({hint})")?;
        }
        write!(f, " [status {}", self.status)?;
        for (what, value) in [("code", &self.code), ("request", &self.request_id)] {
            if !value.is_empty() {
                write!(f, ", {what} {value}")?;
            }
        }
        f.write_str("]")
    }
}

impl std::error::Error for ApiError {}

/// What a caller gave, and no request can be made of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidInput {
    /// The server's URL.
    #[error("\"{url}\" is not the URL of a server: {reason}; want something like http://127.0.0.1:7080")]
    Url {
        /// The URL, without a user name and password.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A name or an id that would change the path in which it should stand.
    #[error("\"{0}\" cannot stand in a URL: want a name or an id")]
    PathValue(String),
    /// A token, setup code or user agent that cannot be sent. Its text is not kept.
    #[error("the {0} is empty or holds a character that cannot be sent, such as a line break")]
    Header(&'static str),
    /// The root certificates.
    #[error("the root certificates cannot be read: {0}; want certificates in PEM")]
    RootCertificates(String),
    /// The lifetime of a new token.
    #[error(
        "a token cannot live {0:?}: want more than nothing and at most 292 years; without a lifetime it is the server's default"
    )]
    Lifetime(Duration),
    /// No request can be made of it for another reason, such as its length.
    #[error("the request cannot be made: {0}")]
    Request(String),
}
