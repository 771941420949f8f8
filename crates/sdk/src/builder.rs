//! Builds a [`Client`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderValue;

use crate::client::{Client, Shared, bearer};
use crate::error::{Error, InvalidInput};
use crate::secret::SecretString;
use crate::{base_url, tls};

const TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const RETRIES: u32 = 2;
const USER_AGENT: &str = concat!("keyward-sdk/", env!("CARGO_PKG_VERSION"));

/// How long an idle connection stays in the pool. It is shorter than the idle timeout of servers (5 s
/// or more): a create sent on a connection that the server is closing fails and must not be retried.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// Builds a [`Client`]; see [`Client::builder`].
///
/// ```
/// use std::time::Duration;
///
/// # fn main() -> Result<(), keyward_sdk::Error> {
/// let client = keyward_sdk::Client::builder("http://127.0.0.1:7080/")
///     .timeout(Duration::from_secs(5))
///     .user_agent("deploy-bot/1.0")
///     .retries(0)
///     .build()?;
/// assert_eq!(client.url(), "http://127.0.0.1:7080");
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct ClientBuilder {
    url: String,
    token: Option<SecretString>,
    timeout: Duration,
    user_agent: String,
    root_certificates: Vec<Vec<u8>>,
    retries: u32,
    connect_timeout: Duration,
    deadline: Option<Duration>,
    on_retry: Option<OnRetry>,
}

/// Called before a retry, with the error of the attempt and the time until the retry.
pub(crate) type OnRetry = Arc<dyn Fn(&Error, Duration) + Send + Sync>;

impl ClientBuilder {
    pub(crate) fn new(url: String) -> Self {
        Self {
            url,
            token: None,
            timeout: TIMEOUT,
            user_agent: USER_AGENT.to_owned(),
            root_certificates: Vec::new(),
            retries: RETRIES,
            connect_timeout: CONNECT_TIMEOUT,
            deadline: None,
            on_retry: None,
        }
    }

    /// The credential: a token or a session token. Without one, only public endpoints can be called.
    pub fn token(mut self, token: impl Into<SecretString>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Timeout of one attempt, from connecting to the end of the response; 30 s by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Timeout of connecting to the server; 10 s by default.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Maximum time of one call with all its retries; without one, only the timeouts of the attempts
    /// apply.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Calls `on_retry` before each retry, with the error of the attempt and the time until the retry.
    pub fn on_retry(mut self, on_retry: impl Fn(&Error, Duration) + Send + Sync + 'static) -> Self {
        self.on_retry = Some(Arc::new(on_retry));
        self
    }

    /// The `User-Agent`, which the server's logs and the audit log show; `keyward-sdk/<version>` by
    /// default.
    pub fn user_agent(mut self, user_agent: &str) -> Self {
        user_agent.clone_into(&mut self.user_agent);
        self
    }

    /// Root certificates in PEM, trusted in addition to the system's. Can be called repeatedly.
    pub fn root_certificates_pem(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.root_certificates.push(pem.as_ref().to_vec());
        self
    }

    /// Maximum number of retries of an idempotent request; 2 by default.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// Builds the client. This sends nothing.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if the URL, token, user agent or a certificate is invalid;
    /// [`Error::Setup`] if the HTTP client cannot be set up.
    pub fn build(self) -> Result<Client, Error> {
        let url = base_url::parse(&self.url)?;
        if let Some(token) = &self.token {
            bearer(token)?;
        }
        let user_agent = HeaderValue::from_str(&self.user_agent)
            .ok()
            .filter(|value| !value.is_empty())
            .ok_or(InvalidInput::Header("user agent"))?;

        // `http://` needs no certificates, because redirects are not followed. It must not use a proxy,
        // which would see the credential.
        let encrypted = url.starts_with("https://");
        let system_roots = if encrypted { tls::system_roots() } else { Vec::new() };
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::config(system_roots, &self.root_certificates)?)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .user_agent(user_agent)
            .timeout(self.timeout)
            .connect_timeout(self.timeout.min(self.connect_timeout))
            .pool_idle_timeout(POOL_IDLE_TIMEOUT);
        let http = if encrypted { http } else { http.no_proxy() };
        let http = http.build().map_err(|error| Error::Setup(Box::new(error)))?;
        let shared = Shared {
            http,
            url: url.into(),
            timeout: self.timeout,
            retries: self.retries,
            deadline: self.deadline,
            on_retry: self.on_retry,
        };
        Ok(Client::new(shared, self.token))
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL is not checked yet and may contain a password.
        f.debug_struct("ClientBuilder").field("token", &self.token).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_or_user_agent_that_cannot_be_sent_is_refused_and_not_repeated() {
        for token in ["", "kwd_x\n", "kwd_x ", "kwd_ä"] {
            let error = Client::builder("http://h").token(token).build().unwrap_err();
            assert_eq!(
                error.to_string(),
                "the token is empty or contains a character that a header cannot carry, such as a line break"
            );
        }
        assert!(Client::builder("http://h").user_agent("a\r\nX: y").build().is_err());
    }

    #[test]
    fn a_client_is_small_to_clone_sendable_and_silent() {
        fn assert_handle<T: Clone + Send + Sync + 'static>(_: &T) {}
        let builder = Client::builder("https://ada:hunter2@h").token("kwd_hush");
        assert!(!format!("{builder:?}").contains("hunter2"));
        let client = Client::builder("https://h").token("kwd_hush").build().unwrap();
        assert_handle(&client);
        let shown = format!("{builder:?} {client:?} {:?}", client.with_token("kws_hush"));
        assert!(!shown.contains("hush"), "{shown}");
        assert!(size_of::<Client>() <= 2 * size_of::<usize>());
    }
}
