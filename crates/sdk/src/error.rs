//! Errors of calls.

use std::fmt;
use std::time::Duration;

use keyward_api::Validation;

use crate::transport::TransportError;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No complete response arrived. The server may still have applied a change.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The server answered with an error.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The response is not what the endpoint returns. Another program probably sent it.
    #[error("cannot decode the response (status {status}): {reason}")]
    #[non_exhaustive]
    Decode {
        /// The HTTP status.
        status: u16,
        /// The body, cut to 4 KiB; empty if a success would contain a secret.
        body: String,
        /// Why it cannot be decoded.
        reason: String,
        /// The request ID; empty if the response had none.
        request_id: String,
    },
    /// The input was invalid, so no request was sent.
    #[error(transparent)]
    InvalidInput(#[from] InvalidInput),
    /// The HTTP client or its TLS configuration could not be set up.
    #[error("cannot set up the HTTP client: {0}")]
    Setup(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// Whether the server answered 404 (missing or hidden).
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(404)
    }

    /// Whether the server answered 401 (no valid credential).
    #[must_use]
    pub fn is_unauthorized(&self) -> bool {
        self.status() == Some(401)
    }

    /// Whether the server answered 403 (not allowed).
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        self.status() == Some(403)
    }

    /// Whether the server answered 409 (conflict, such as a name that is taken).
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.status() == Some(409)
    }

    /// The server's error code, such as `not_found`: snake_case and stable.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Api(error) => Some(error.code.as_str()).filter(|code| !code.is_empty()),
            Self::Transport(_) | Self::Decode { .. } | Self::InvalidInput(_) | Self::Setup(_) => None,
        }
    }

    /// The HTTP status, if a response arrived.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Api(error) => Some(error.status),
            Self::Decode { status, .. } => Some(*status),
            Self::Transport(_) | Self::InvalidInput(_) | Self::Setup(_) => None,
        }
    }

    /// The request ID, which the server's log and the audit log show, if the response had one.
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

/// An error response.
///
/// If it is not in the server's format, such as a proxy's page, `code` is empty and `message` is the
/// start of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// The error code, for programs: snake_case and stable.
    pub code: String,
    /// What went wrong, for people.
    pub message: String,
    /// Details, for people.
    pub detail: Option<String>,
    /// What to do next.
    pub hint: Option<String>,
    /// The request fields that were invalid.
    pub validations: Vec<Validation>,
    /// The request ID, which the server's log and the audit log show; empty if the response had none.
    pub request_id: String,
    /// How long to wait before the next request.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for ApiError {
    /// Writes all parts, the status and the request ID on one line.
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

/// Invalid input, for which no request can be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidInput {
    /// The server URL is invalid.
    #[error("invalid server URL \"{url}\": {reason}; use a URL such as http://127.0.0.1:7080")]
    Url {
        /// The URL, without a username and password.
        url: String,
        /// Why it is invalid.
        reason: String,
    },
    /// A name or ID that would change the URL path.
    #[error("\"{0}\" cannot be part of a URL path; use a name or an ID")]
    PathValue(String),
    /// A token, setup code or user agent that a header cannot carry. The error does not contain it.
    #[error("the {0} is empty or contains a character that a header cannot carry, such as a line break")]
    Header(&'static str),
    /// The root certificates cannot be read.
    #[error("cannot read the root certificates: {0}; use certificates in PEM")]
    RootCertificates(String),
    /// The lifetime of a new token is out of range.
    #[error(
        "invalid token lifetime {0:?}: it must be positive and at most 292 years; omit it for the server's default"
    )]
    Lifetime(Duration),
    /// The request cannot be built for another reason, such as its length.
    #[error("cannot build the request: {0}")]
    Request(String),
}
