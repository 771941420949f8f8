//! An HTTP client without the SDK, for tests of the HTTP API itself.

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

/// An HTTP client with or without a key.
#[derive(Clone, Debug)]
pub struct Http {
    base: String,
    token: Option<String>,
    client: reqwest::Client,
}

/// A complete response.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub text: String,
}

impl Http {
    /// A client of the server at `base`.
    #[must_use]
    pub fn new(base: &str, token: Option<&str>) -> Self {
        // Only the first call installs it. Tests use no TLS, but the client needs a provider.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .tls_certs_only([])
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
        Self { base: base.to_owned(), token: token.map(str::to_owned), client }
    }

    /// The same client with another key.
    #[must_use]
    pub fn with(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// A request to modify and send with [`Answer::of`].
    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method: Method = method.parse().expect("a method");
        let request = self.client.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request without a body.
    pub async fn send(&self, method: &str, path: &str) -> Answer {
        Answer::of(self.request(method, path)).await
    }

    /// Sends `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path).await
    }

    /// Sends a JSON body.
    pub async fn json(&self, method: &str, path: &str, body: &Value) -> Answer {
        let request = self.request(method, path).header(CONTENT_TYPE, "application/json").body(body.to_string());
        Answer::of(request).await
    }

    /// Sends `POST` with a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.json("POST", path, body).await
    }
}

impl Answer {
    /// Sends a request and reads the whole response.
    pub async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, text: response.text().await.expect("a whole body") }
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("not JSON: {error}: {}", self.text))
    }

    /// The error code.
    #[must_use]
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// A header as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Asserts the status and returns the response.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// Asserts the status and the error code and returns the response.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.code().as_str()), (status, code), "{}", self.text);
        self
    }
}
