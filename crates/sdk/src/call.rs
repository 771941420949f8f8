//! Sends one call of one endpoint, with retries.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use keyward_api::{Access, Endpoint, Method};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::answer::{self, Answer};
use crate::client::{Client, bearer, secret_header};
use crate::error::{Error, InvalidInput};
use crate::transport::TransportError;
use crate::{path, retry};

/// Initial capacity for a body, in bytes. Growing the buffer would leave copies of a password in
/// memory.
const BODY_CAPACITY: usize = 4096;

/// A call of the endpoint `E`.
pub(crate) struct Call<E> {
    path: String,
    query: String,
    body: Option<Bytes>,
    header: Option<(&'static str, HeaderValue)>,
    secret_answer: bool,
    timeout: Option<Duration>,
    repeatable: bool,
    without_deadline: bool,
    endpoint: PhantomData<fn() -> E>,
}

impl<E: Endpoint> Call<E> {
    /// A call whose path contains these values, in order.
    pub(crate) fn new(values: &[&str]) -> Result<Self, InvalidInput> {
        Ok(Self {
            path: path::fill(E::PATH, values)?,
            query: String::new(),
            body: None,
            header: None,
            secret_answer: false,
            timeout: None,
            repeatable: E::METHOD.is_idempotent(),
            without_deadline: false,
            endpoint: PhantomData,
        })
    }

    pub(crate) fn query(mut self, query: &E::Query) -> Result<Self, InvalidInput> {
        self.query = query_text(&serde_json::to_value(query).map_err(serialize_error)?);
        Ok(self)
    }

    pub(crate) fn body(mut self, body: &E::Request) -> Result<Self, InvalidInput> {
        let mut text = Zeroizing::new(Vec::with_capacity(BODY_CAPACITY));
        serde_json::to_writer(&mut *text, body).map_err(serialize_error)?;
        // All attempts share the body; the last one to drop it zeroizes it.
        self.body = Some(Bytes::from_owner(text));
        Ok(self)
    }

    /// Adds a header whose value is a secret; `what` names it in an error.
    pub(crate) fn secret_header(
        mut self,
        name: &'static str,
        what: &'static str,
        value: &str,
    ) -> Result<Self, InvalidInput> {
        self.header = Some((name, secret_header(what, "", value)?));
        Ok(self)
    }

    /// Timeout of one attempt; overrides the client's.
    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Lets the call be retried although its method is not idempotent, because the endpoint is.
    pub(crate) fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// Ignores the client's deadline: only the timeout of each attempt applies.
    pub(crate) fn without_deadline(mut self) -> Self {
        self.without_deadline = true;
        self
    }

    /// Marks the success as secret, so that errors do not quote its body.
    pub(crate) fn with_secret_answer(mut self) -> Self {
        self.secret_answer = true;
        self
    }
}

impl Client {
    /// Sends a call. Retries if that is safe and may succeed, until the deadline.
    pub(crate) async fn call<E: Endpoint>(&self, call: Call<E>) -> Result<Answer<E::Response>, Error> {
        let retries = if call.repeatable { self.shared.retries } else { 0 };
        let deadline = self.shared.deadline.filter(|_| !call.without_deadline);
        let mut lost = None;
        let mut attempt = 0;
        let began = Instant::now();
        let left = || deadline.map(|deadline| deadline.saturating_sub(began.elapsed()));
        loop {
            let error = match self.attempt(&call, left()).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let Some(pause) = retry::pause(&error, attempt)
                .filter(|pause| attempt < retries && left().is_none_or(|left| *pause < left))
            else {
                return Err(retry::final_error(E::METHOD, lost, error));
            };
            if let Some(on_retry) = &self.shared.on_retry {
                on_retry(&error, pause);
            }
            if retry::may_have_been_applied(&error) {
                lost.get_or_insert(error);
            }
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    async fn attempt<E: Endpoint>(&self, call: &Call<E>, left: Option<Duration>) -> Result<Answer<E::Response>, Error> {
        let url = format!("{}{}{}", self.shared.url, call.path, call.query);
        let mut request = self.shared.http.request(method::<E>(), url);
        // Public endpoints get no credential, so that it is sent as rarely as possible.
        if let Some(token) = self.token().filter(|_| E::ACCESS != Access::Public) {
            request = request.header(AUTHORIZATION, bearer(token)?);
        }
        if let Some((name, value)) = &call.header {
            request = request.header(*name, value.clone());
        }
        let timeout = call.timeout.unwrap_or(self.shared.timeout);
        request = request.timeout(left.map_or(timeout, |left| left.min(timeout)));
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let response = request.send().await.map_err(|error| send_error(&self.shared.url, error))?;
        let reader = answer::Reader { url: &self.shared.url, token: self.token(), secret: call.secret_answer };
        reader.read::<E>(response).await
    }
}

fn method<E: Endpoint>() -> reqwest::Method {
    match E::METHOD {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Delete => reqwest::Method::DELETE,
    }
}

/// A request that cannot be built is the caller's error, not the network's.
fn send_error(url: &Arc<str>, error: reqwest::Error) -> Error {
    if error.is_builder() {
        InvalidInput::Request(error.without_url().to_string()).into()
    } else {
        TransportError::new(url, error).into()
    }
}

fn serialize_error(error: serde_json::Error) -> InvalidInput {
    InvalidInput::Request(error.to_string())
}

/// The query string of a query. Its JSON form is flat, and absent fields are omitted.
fn query_text(query: &Value) -> String {
    let mut text = String::new();
    for (name, value) in query.as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.push(if text.is_empty() { '?' } else { '&' });
        text.push_str(&format!("{}={}", path::escape(name), path::escape(&value)));
    }
    text
}

#[cfg(test)]
mod tests {
    use keyward_api::audit::{AuditQuery, ListAudit};
    use keyward_api::keys::{ListTokens, TokensQuery};

    use super::*;

    #[test]
    fn a_query_is_written_field_by_field_and_encoded() {
        let query = TokensQuery::new(false, true, Some(1000), Some("a+b=/".to_owned()));
        let call = Call::<ListTokens>::new(&["me"]).unwrap().query(&query).unwrap();
        assert_eq!(call.query, "?after=a%2Bb%3D%2F&include_all=false&include_expired=true&limit=1000");
        let call = Call::<ListAudit>::new(&[]).unwrap().query(&AuditQuery::default()).unwrap();
        assert_eq!(call.query, "");
    }
}
