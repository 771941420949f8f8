//! The client: a server, and who one is to it.

use std::fmt;
use std::sync::Arc;

use reqwest::header::HeaderValue;
use zeroize::Zeroizing;

use crate::builder::ClientBuilder;
use crate::error::InvalidInput;
use crate::secret::SecretString;

/// A client of one server. Cloning it is cheap, and clones share their connections.
#[derive(Clone)]
pub struct Client {
    pub(crate) shared: Arc<Shared>,
    token: Option<Arc<SecretString>>,
}

/// What clones have in common.
pub(crate) struct Shared {
    pub(crate) http: reqwest::Client,
    /// With no slash at its end.
    pub(crate) url: Arc<str>,
    pub(crate) retries: u32,
}

impl Client {
    /// Begins a client of the server at `url`, such as `http://127.0.0.1:7080`. A path in it, as
    /// behind a reverse proxy, is put before the path of each endpoint.
    pub fn builder(url: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(url.into())
    }

    pub(crate) fn new(shared: Shared, token: Option<SecretString>) -> Self {
        Self { shared: Arc::new(shared), token: token.map(Arc::new) }
    }

    /// The same server, over the same connections, with another credential. One that cannot be
    /// sent is an error at the first call.
    #[must_use]
    pub fn with_token(&self, token: impl Into<SecretString>) -> Self {
        Self { shared: Arc::clone(&self.shared), token: Some(Arc::new(token.into())) }
    }

    /// Where the server is, with no slash at its end.
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

/// A header's value that nobody's `Debug` shows. A secret with a space or line break in it was
/// read amiss, and one that is empty was not read at all.
pub(crate) fn secret_header(what: &'static str, scheme: &str, secret: &str) -> Result<HeaderValue, InvalidInput> {
    let unsendable = InvalidInput::Header(what);
    if secret.is_empty() || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(unsendable);
    }
    let text = Zeroizing::new(format!("{scheme}{secret}"));
    let mut value = HeaderValue::from_str(&text).ok().ok_or(unsendable)?;
    value.set_sensitive(true);
    Ok(value)
}
