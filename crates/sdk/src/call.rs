//! One call of one endpoint: what is sent, and sending it until there is an answer to give.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

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

/// Room for most bodies at once: growing would leave copies of a password behind.
const BODY_ROOM: usize = 4096;

/// A call of the endpoint `E`.
pub(crate) struct Call<E> {
    path: String,
    query: String,
    body: Option<Bytes>,
    header: Option<(&'static str, HeaderValue)>,
    secret_answer: bool,
    timeout: Option<Duration>,
    endpoint: PhantomData<fn() -> E>,
}

impl<E: Endpoint> Call<E> {
    /// A call with these values in the path, in order.
    pub(crate) fn new(values: &[&str]) -> Result<Self, InvalidInput> {
        Ok(Self {
            path: path::fill(E::PATH, values)?,
            query: String::new(),
            body: None,
            header: None,
            secret_answer: false,
            timeout: None,
            endpoint: PhantomData,
        })
    }

    pub(crate) fn query(mut self, query: &E::Query) -> Result<Self, InvalidInput> {
        self.query = query_text(&serde_json::to_value(query).map_err(unwritable)?);
        Ok(self)
    }

    pub(crate) fn body(mut self, body: &E::Request) -> Result<Self, InvalidInput> {
        let mut text = Zeroizing::new(Vec::with_capacity(BODY_ROOM));
        serde_json::to_writer(&mut *text, body).map_err(unwritable)?;
        // Shared by all attempts, and wiped with the last of them.
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

    /// How long an attempt may take, in place of the client's own timeout.
    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Says that a success holds a secret, so that its body must not stand in an error.
    pub(crate) fn with_secret_answer(mut self) -> Self {
        self.secret_answer = true;
        self
    }
}

impl Client {
    /// Sends a call, again if that is safe and may help.
    pub(crate) async fn call<E: Endpoint>(&self, call: Call<E>) -> Result<Answer<E::Response>, Error> {
        let retries = if E::METHOD.is_idempotent() { self.shared.retries } else { 0 };
        let mut lost = None;
        let mut attempt = 0;
        loop {
            let error = match self.attempt(&call).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let Some(pause) = retry::pause(&error, attempt).filter(|_| attempt < retries) else {
                return Err(retry::verdict(E::METHOD, lost, error));
            };
            if retry::may_have_acted(&error) {
                lost.get_or_insert(error);
            }
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    async fn attempt<E: Endpoint>(&self, call: &Call<E>) -> Result<Answer<E::Response>, Error> {
        let url = format!("{}{}{}", self.shared.url, call.path, call.query);
        let mut request = self.shared.http.request(method::<E>(), url);
        // What is public is asked without a credential: the less it travels the better.
        if let Some(token) = self.token().filter(|_| E::ACCESS != Access::Public) {
            request = request.header(AUTHORIZATION, bearer(token)?);
        }
        if let Some((name, value)) = &call.header {
            request = request.header(*name, value.clone());
        }
        if let Some(timeout) = call.timeout {
            request = request.timeout(timeout);
        }
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let response = request.send().await.map_err(|error| failed(&self.shared.url, error))?;
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

/// A request that could not even be formed is the caller's to mend, not the network's.
fn failed(url: &Arc<str>, error: reqwest::Error) -> Error {
    if error.is_builder() {
        InvalidInput::Request(error.without_url().to_string()).into()
    } else {
        TransportError::new(url, error).into()
    }
}

fn unwritable(error: serde_json::Error) -> InvalidInput {
    InvalidInput::Request(error.to_string())
}

/// The fields of a query, from its JSON form: queries are flat, and absent fields are skipped.
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
