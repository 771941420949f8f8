//! No whole answer came: what broke, and where.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// Why no whole answer came.
///
/// Its text is complete and names the cause; `source` has the same, for programs.
#[derive(Debug)]
pub struct TransportError {
    url: Arc<str>,
    fault: Fault,
}

#[derive(Debug)]
enum Fault {
    /// No connection was made, so nothing was sent.
    Connect(reqwest::Error),
    /// Too late.
    Timeout(reqwest::Error),
    /// The connection was lost on the way.
    Broken(reqwest::Error),
    /// More came than is taken.
    TooLong { limit: usize },
}

impl TransportError {
    pub(crate) fn new(url: &Arc<str>, error: reqwest::Error) -> Self {
        // The full URL has the query in it, which is the caller's business.
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

    /// Was no connection made? Then the server has not seen the request.
    #[must_use]
    pub fn is_connect(&self) -> bool {
        matches!(self.fault, Fault::Connect(_))
    }

    /// Did the answer not come in time?
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self.fault, Fault::Timeout(_))
    }

    /// Was the answer longer than is taken?
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
            Fault::Timeout(_) => write!(f, "no answer from {url} in time"),
            Fault::Broken(error) => write!(f, "the connection to {url} broke: {}", root_cause(error)),
            Fault::TooLong { limit } => write!(f, "the answer of {url} is longer than {limit} bytes"),
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

/// The innermost error, which alone says something to people ("connection refused").
fn root_cause(error: &reqwest::Error) -> &dyn StdError {
    let mut cause: &dyn StdError = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause
}
