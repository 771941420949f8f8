//! The client: a server URL and a credential.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderValue;
use zeroize::Zeroizing;

use crate::builder::{ClientBuilder, OnRetry};
use crate::error::InvalidInput;
use crate::secret::SecretString;

/// A client of one server. Cloning is cheap; clones share the connection pool.
#[derive(Clone)]
pub struct Client {
    pub(crate) shared: Arc<Shared>,
    token: Option<Arc<SecretString>>,
}

/// What all clones share.
pub(crate) struct Shared {
    pub(crate) http: reqwest::Client,
    /// Without a trailing slash.
    pub(crate) url: Arc<str>,
    pub(crate) timeout: Duration,
    pub(crate) retries: u32,
    pub(crate) deadline: Option<Duration>,
    pub(crate) on_retry: Option<OnRetry>,
}

impl Client {
    /// Starts building a client of the server at `url`, such as `http://127.0.0.1:7080`. If the URL has
    /// a path, as behind a reverse proxy, the path of each endpoint is appended to it.
    pub fn builder(url: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(url.into())
    }

    pub(crate) fn new(shared: Shared, token: Option<SecretString>) -> Self {
        Self { shared: Arc::new(shared), token: token.map(Arc::new) }
    }

    /// A client of the same server with another credential; it shares the connection pool. An invalid
    /// credential is an error at the first call.
    #[must_use]
    pub fn with_token(&self, token: impl Into<SecretString>) -> Self {
        Self { shared: Arc::clone(&self.shared), token: Some(Arc::new(token.into())) }
    }

    /// The server URL, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    pub(crate) fn token(&self) -> Option<&SecretString> {
        self.token.as_deref()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("url", &self.shared.url).field("token", &self.token).finish_non_exhaustive()
    }
}

/// The value of `Authorization` for a token (RFC 6750, §2.1).
pub(crate) fn bearer(token: &SecretString) -> Result<HeaderValue, InvalidInput> {
    secret_header("token", "Bearer ", token.expose())
}

/// A header value that `Debug` does not show. A secret that is empty or contains white space or a
/// control character was read wrongly, so it is an error.
pub(crate) fn secret_header(what: &'static str, scheme: &str, secret: &str) -> Result<HeaderValue, InvalidInput> {
    let invalid = InvalidInput::Header(what);
    if secret.is_empty() || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(invalid);
    }
    let text = Zeroizing::new(format!("{scheme}{secret}"));
    let mut value = HeaderValue::from_str(&text).ok().ok_or(invalid)?;
    value.set_sensitive(true);
    Ok(value)
}
