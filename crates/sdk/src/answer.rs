//! Reads a response: decodes a success and turns anything else into an error.

use std::sync::Arc;
use std::time::Duration;

use keyward_api::{Endpoint, ErrorBody, PlainText, headers};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, LOCATION, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use zeroize::Zeroizing;

use crate::error::{ApiError, Error};
use crate::page;
use crate::secret::SecretString;
use crate::transport::TransportError;

/// Maximum size of a success body, in bytes. A page of 1000 keys is far smaller.
const MAX_SUCCESS_BYTES: usize = 64 * 1024 * 1024;
/// Maximum number of bytes read from an error body.
const MAX_ERROR_BYTES: usize = 64 * 1024;
/// Maximum number of characters of an undecodable success that [`Error::Decode`] keeps.
const MAX_QUOTED_BODY: usize = 4096;
/// Maximum number of characters of a foreign error body that the message quotes.
const MAX_QUOTED_MESSAGE: usize = 200;
/// Maximum initial capacity of a body buffer, in bytes, whatever `Content-Length` says.
const MAX_INITIAL_CAPACITY: usize = 1024 * 1024;

/// The server issues no shorter tokens. A shorter text may be a common word, which must not be
/// redacted.
const MIN_TOKEN_BYTES: usize = 16;

/// A decoded success.
pub(crate) struct Answer<T> {
    pub(crate) value: T,
    /// The cursor of the next page, if there is one.
    pub(crate) next: Option<String>,
    /// The value of the `Keyward-Barrier` header, which an expire returns.
    pub(crate) barrier: Option<String>,
}

/// What decoding a response needs to know.
pub(crate) struct Reader<'a> {
    pub(crate) url: &'a Arc<str>,
    /// The credential. A response may repeat it; an error must not.
    pub(crate) token: Option<&'a SecretString>,
    /// Whether a success contains a secret.
    pub(crate) secret: bool,
}

impl Reader<'_> {
    pub(crate) async fn read<E: Endpoint>(&self, mut response: Response) -> Result<Answer<E::Response>, Error> {
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        if !status.is_success() {
            let body = self.error_body(response).await;
            return Err(self.api_error(status, &headers, &body).into());
        }
        let body = self.success_body(response).await?;
        let undecodable = |reason: String| self.undecodable(status, &headers, &body, reason);
        // The expected status proves an empty response; the content proves any other.
        let empty = E::STATUS == StatusCode::NO_CONTENT.as_u16();
        if empty && status.as_u16() != E::STATUS {
            return Err(undecodable(format!("expected status {}", E::STATUS)));
        }
        let decoded = if PlainText::is::<E::Response>() {
            // A page of a proxy would be text too, so the type must be right.
            if !text_of(&headers, &CONTENT_TYPE).starts_with("text/plain") {
                return Err(undecodable("expected plain text".to_owned()));
            }
            let text = std::str::from_utf8(&body).map_err(|error| undecodable(error.to_string()))?;
            serde_json::from_value(text.into())
        } else {
            serde_json::from_slice(if empty { b"{}" } else { &body })
        };
        let value = decoded.map_err(|error| undecodable(self.reason(&error)))?;
        let next = page::next_cursor(&headers).map_err(undecodable)?;
        let barrier = headers.get(headers::BARRIER).and_then(|told| told.to_str().ok()).map(str::to_owned);
        Ok(Answer { value, next, barrier })
    }

    /// Reads the whole body. A cut-off body is an error: a truncated list must not look complete.
    async fn success_body(&self, mut response: Response) -> Result<Zeroizing<Vec<u8>>, TransportError> {
        let length = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        let mut body = Zeroizing::new(Vec::with_capacity(length.min(MAX_INITIAL_CAPACITY)));
        while let Some(chunk) = response.chunk().await.map_err(|error| TransportError::new(self.url, error))? {
            if body.len() + chunk.len() > MAX_SUCCESS_BYTES {
                return Err(TransportError::too_long(self.url, MAX_SUCCESS_BYTES));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// Reads the body until it ends, fails or reaches the limit. The status alone makes it an error.
    async fn error_body(&self, mut response: Response) -> Vec<u8> {
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() >= MAX_ERROR_BYTES {
                break;
            }
        }
        body
    }

    fn api_error(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> ApiError {
        let said: ErrorBody<'_> =
            serde_json::from_slice(body).unwrap_or_else(|_| self.foreign_error(status, headers, body));
        let mut validations = said.validations.into_owned();
        for wrong in &mut validations {
            wrong.detail = self.redact(&wrong.detail);
        }
        ApiError {
            status: status.as_u16(),
            code: said.code.into_owned(),
            message: self.redact(&said.message),
            detail: said.detail.map(|detail| self.redact(&detail)),
            hint: said.hint.map(|hint| self.redact(&hint)),
            validations,
            request_id: if said.request_id.is_empty() { request_id_of(headers) } else { said.request_id.into_owned() },
            retry_after: retry_after(headers),
        }
    }

    /// The error for a response that is not in the server's error format, such as a proxy's page.
    fn foreign_error(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> ErrorBody<'static> {
        let mut said = ErrorBody::default();
        if status.is_redirection() {
            let location = text_of(headers, &LOCATION);
            said.message =
                format!("The server redirects to \"{}\".", self.excerpt(location.as_bytes(), MAX_QUOTED_MESSAGE))
                    .into();
            said.hint = Some("Redirects are not followed; use the server's own URL.".into());
            return said;
        }
        let is_html =
            text_of(headers, &CONTENT_TYPE).starts_with("text/html") || body.trim_ascii_start().starts_with(b"<");
        if is_html {
            said.message = format!("An HTML page came back with the status {status}, not an answer of Keyward.").into();
            said.hint = Some("Check the URL, and the proxy in front of the server.".into());
            return said;
        }
        let excerpt = self.excerpt(body, MAX_QUOTED_MESSAGE);
        said.message = if excerpt.is_empty() {
            status.canonical_reason().unwrap_or("The server returned no error message.").into()
        } else {
            excerpt.into()
        };
        said
    }

    /// The error for text that is not in the form that the endpoint promises.
    pub(crate) fn malformed(&self, text: &str, reason: String) -> Error {
        self.undecodable(StatusCode::OK, &HeaderMap::new(), text.as_bytes(), reason)
    }

    fn undecodable(&self, status: StatusCode, headers: &HeaderMap, body: &[u8], reason: String) -> Error {
        let body = if self.secret { String::new() } else { self.excerpt(body, MAX_QUOTED_BODY) };
        Error::Decode { status: status.as_u16(), body, reason, request_id: request_id_of(headers) }
    }

    /// Why the JSON is invalid. The parser's message may quote the body, so it is not used for secrets.
    fn reason(&self, error: &serde_json::Error) -> String {
        if self.secret {
            format!("invalid JSON at line {} column {}", error.line(), error.column())
        } else {
            let words = error.to_string();
            self.excerpt(words.as_bytes(), MAX_QUOTED_BODY)
        }
    }

    /// The first `limit` characters of a text, with the credential redacted.
    fn excerpt(&self, text: &[u8], limit: usize) -> String {
        // Redact before cutting, so that no part of the credential remains at the cut.
        self.redact(&String::from_utf8_lossy(text)).trim().chars().take(limit).collect()
    }

    /// The text with the credential replaced by `[redacted]`.
    fn redact(&self, text: &str) -> String {
        match self.token.map(SecretString::expose).filter(|token| token.len() >= MIN_TOKEN_BYTES) {
            Some(token) => text.replace(token, "[redacted]"),
            None => text.to_owned(),
        }
    }
}

/// `Retry-After` in seconds. The server does not use the date form (RFC 9110, §10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    text_of(headers, &RETRY_AFTER).parse().ok().map(Duration::from_secs)
}

fn request_id_of(headers: &HeaderMap) -> String {
    headers.get(headers::REQUEST_ID).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

fn text_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "kwd_hushhushhu-0123456789";

    #[test]
    fn an_excerpt_is_bounded_and_never_holds_a_part_of_the_credential() {
        let (url, token) = (Arc::from("http://h"), SecretString::from(TOKEN));
        let reader = Reader { url: &url, token: Some(&token), secret: false };
        assert_eq!(reader.excerpt(format!(" you sent {TOKEN} ").as_bytes(), 100), "you sent [redacted]");
        for before in ["ä".repeat(198), format!("{}ä", " ".repeat(900)), format!("{TOKEN} ").repeat(40)] {
            let excerpt = reader.excerpt(format!("{before}{TOKEN}").as_bytes(), MAX_QUOTED_MESSAGE);
            assert!(excerpt.chars().count() <= MAX_QUOTED_MESSAGE && !excerpt.contains("hush"), "{excerpt}");
        }
    }

    #[test]
    fn a_secret_is_not_quoted_by_the_parser() {
        let (url, error) = (Arc::from("http://h"), serde_json::from_str::<u8>("\"kwd_hush\"").unwrap_err());
        let reader = |secret| Reader { url: &url, token: None, secret };
        assert!(reader(false).reason(&error).contains("hush"));
        assert_eq!(reader(true).reason(&error), "invalid JSON at line 1 column 10");
    }
}
