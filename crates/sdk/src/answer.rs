//! Reading an answer: a success into its shape, everything else into an error.

use std::sync::Arc;
use std::time::Duration;

use keyward_api::{Endpoint, ErrorBody, headers};
use reqwest::header::{HeaderMap, HeaderName, LOCATION, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use zeroize::Zeroizing;

use crate::error::{ApiError, Error};
use crate::page;
use crate::secret::SecretString;
use crate::transport::TransportError;

/// The longest success that is read; a page of a thousand keys stays far below.
const LONGEST_SUCCESS: usize = 64 * 1024 * 1024;
/// How much of a refusal is read.
const LONGEST_REFUSAL: usize = 64 * 1024;
/// How much of an unreadable success an error keeps.
const KEPT_BODY: usize = 4096;
/// How many characters of a refusal that is not the server's own make its message.
const KEPT_MESSAGE: usize = 200;
/// What is set aside for a body before it comes, however long it says it will be.
const LARGEST_ROOM: usize = 1024 * 1024;

/// A credential that is shorter is none of the server's, and may well be a word.
const SHORTEST_TOKEN: usize = 16;

/// A success.
pub(crate) struct Answer<T> {
    pub(crate) value: T,
    /// The cursor of the next page, when there is one.
    pub(crate) next: Option<String>,
    /// How an expire was taken up by the verifiers, as the server told it.
    pub(crate) barrier: Option<String>,
}

/// What must be known to read an answer.
pub(crate) struct Reader<'a> {
    pub(crate) url: &'a Arc<str>,
    /// The credential, which an answer may repeat and an error must not.
    pub(crate) token: Option<&'a SecretString>,
    /// A success holds a secret.
    pub(crate) secret: bool,
}

impl Reader<'_> {
    pub(crate) async fn read<E: Endpoint>(&self, mut response: Response) -> Result<Answer<E::Response>, Error> {
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        if !status.is_success() {
            let body = self.refusal(response).await;
            return Err(self.api_error(status, &headers, &body).into());
        }
        let body = self.success(response).await?;
        let unreadable = |reason: String| self.unreadable(status, &headers, &body, reason);
        // An answer without a body proves itself by its status alone; others by what they hold.
        let empty = E::STATUS == StatusCode::NO_CONTENT.as_u16();
        if empty && status.as_u16() != E::STATUS {
            return Err(unreadable(format!("want status {}", E::STATUS)));
        }
        let text: &[u8] = if empty { b"{}" } else { &body };
        let value = serde_json::from_slice(text).map_err(|error| unreadable(self.reason(&error)))?;
        let next = page::next_cursor(&headers).map_err(unreadable)?;
        let barrier = headers.get(headers::BARRIER).and_then(|told| told.to_str().ok()).map(str::to_owned);
        Ok(Answer { value, next, barrier })
    }

    /// The whole body, or an error: a short list must not look whole.
    async fn success(&self, mut response: Response) -> Result<Zeroizing<Vec<u8>>, TransportError> {
        let told = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        let mut body = Zeroizing::new(Vec::with_capacity(told.min(LARGEST_ROOM)));
        while let Some(chunk) = response.chunk().await.map_err(|error| TransportError::new(self.url, error))? {
            if body.len() + chunk.len() > LONGEST_SUCCESS {
                return Err(TransportError::too_long(self.url, LONGEST_SUCCESS));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// As much of the body as comes: the status has said what matters.
    async fn refusal(&self, mut response: Response) -> Vec<u8> {
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() >= LONGEST_REFUSAL {
                break;
            }
        }
        body
    }

    fn api_error(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> ApiError {
        let said: ErrorBody<'_> = serde_json::from_slice(body).unwrap_or_else(|_| self.foreign(status, headers, body));
        let mut validations = said.validations.into_owned();
        for wrong in &mut validations {
            wrong.detail = self.clean(&wrong.detail);
        }
        ApiError {
            status: status.as_u16(),
            code: said.code.into_owned(),
            message: self.clean(&said.message),
            detail: said.detail.map(|detail| self.clean(&detail)),
            hint: said.hint.map(|hint| self.clean(&hint)),
            validations,
            request_id: if said.request_id.is_empty() { request_id_of(headers) } else { said.request_id.into_owned() },
            retry_after: retry_after(headers),
        }
    }

    /// What to make of a refusal that is not of the server's shape.
    fn foreign(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> ErrorBody<'static> {
        let mut said = ErrorBody::default();
        if status.is_redirection() {
            let place = text_of(headers, &LOCATION);
            said.message = format!("The server points to \"{}\".", self.excerpt(place.as_bytes(), KEPT_MESSAGE)).into();
            said.hint = Some(
                "Redirects are not followed, lest a credential goes astray: use the URL of the server itself.".into(),
            );
            return said;
        }
        let excerpt = self.excerpt(body, KEPT_MESSAGE);
        said.message = if excerpt.is_empty() {
            status.canonical_reason().unwrap_or("The server gave no reason.").into()
        } else {
            excerpt.into()
        };
        said
    }

    fn unreadable(&self, status: StatusCode, headers: &HeaderMap, body: &[u8], reason: String) -> Error {
        let body = if self.secret { String::new() } else { self.excerpt(body, KEPT_BODY) };
        Error::Decode { status: status.as_u16(), body, reason, request_id: request_id_of(headers) }
    }

    /// What is wrong with the JSON; not in the parser's words where these might quote a secret.
    fn reason(&self, error: &serde_json::Error) -> String {
        if self.secret {
            format!("wrong JSON at line {} column {}", error.line(), error.column())
        } else {
            let words = error.to_string();
            self.excerpt(words.as_bytes(), KEPT_BODY)
        }
    }

    /// The first `limit` characters of a text.
    fn excerpt(&self, text: &[u8], limit: usize) -> String {
        // Cleaned before it is cut, lest half of the credential stand at the cut.
        self.clean(&String::from_utf8_lossy(text)).trim().chars().take(limit).collect()
    }

    /// A text without the credential, which an answer may repeat.
    fn clean(&self, text: &str) -> String {
        match self.token.map(SecretString::expose).filter(|token| token.len() >= SHORTEST_TOKEN) {
            Some(token) => text.replace(token, "[redacted]"),
            None => text.to_owned(),
        }
    }
}

/// `Retry-After` in seconds; its other form, a date, is not used by the server (RFC 9110, §10.2.3).
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
            let excerpt = reader.excerpt(format!("{before}{TOKEN}").as_bytes(), KEPT_MESSAGE);
            assert!(excerpt.chars().count() <= KEPT_MESSAGE && !excerpt.contains("hush"), "{excerpt}");
        }
    }

    #[test]
    fn a_secret_is_not_quoted_by_the_parser() {
        let (url, error) = (Arc::from("http://h"), serde_json::from_str::<u8>("\"kwd_hush\"").unwrap_err());
        let reader = |secret| Reader { url: &url, token: None, secret };
        assert!(reader(false).reason(&error).contains("hush"));
        assert_eq!(reader(true).reason(&error), "wrong JSON at line 1 column 10");
    }
}
