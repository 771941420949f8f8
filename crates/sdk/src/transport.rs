//! Network errors: no complete response arrived.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// A network error: no complete response arrived.
///
/// `Display` includes the cause; `source` returns it for programs.
#[derive(Debug)]
pub struct TransportError {
    url: Arc<str>,
    fault: Fault,
}

#[derive(Debug)]
enum Fault {
    /// No connection was made, so no request was sent.
    Connect(reqwest::Error),
    /// The timeout passed.
    Timeout(reqwest::Error),
    /// The connection broke.
    Broken(reqwest::Error),
    /// The response exceeded the limit, in bytes.
    TooLong { limit: usize },
}

impl TransportError {
    pub(crate) fn new(url: &Arc<str>, error: reqwest::Error) -> Self {
        // The query in the full URL may be confidential.
        let error = error.without_url();
        let fault = if error.is_connect() {
            Fault::Connect(error)
        } else if error.is_timeout() {
            Fault::Timeout(error)
        } else {
            Fault::Broken(error)
        };
        Self { url: Arc::clone(url), fault }
    }

    pub(crate) fn too_long(url: &Arc<str>, limit: usize) -> Self {
        Self { url: Arc::clone(url), fault: Fault::TooLong { limit } }
    }

    /// Whether no connection was made. If so, the server has not received the request.
    #[must_use]
    pub fn is_connect(&self) -> bool {
        matches!(self.fault, Fault::Connect(_))
    }

    /// Whether the timeout passed before the response was complete.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self.fault, Fault::Timeout(_))
    }

    /// Whether the response exceeded the size limit.
    #[must_use]
    pub fn is_too_long(&self) -> bool {
        matches!(self.fault, Fault::TooLong { .. })
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = &self.url;
        match &self.fault {
            Fault::Connect(error) => write!(f, "cannot reach {url}: {}", root_cause(error)),
            Fault::Timeout(_) => write!(f, "{url} did not answer in time"),
            Fault::Broken(error) => write!(f, "the connection to {url} broke: {}", root_cause(error)),
            Fault::TooLong { limit } => write!(f, "the response from {url} is longer than {limit} bytes"),
        }
    }
}

impl StdError for TransportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.fault {
            Fault::Connect(error) | Fault::Timeout(error) | Fault::Broken(error) => Some(error),
            Fault::TooLong { .. } => None,
        }
    }
}

/// The innermost error, which has the useful text ("connection refused").
fn root_cause(error: &reqwest::Error) -> &dyn StdError {
    let mut cause: &dyn StdError = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause
}
