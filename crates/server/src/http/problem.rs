//! The error response.

use std::borrow::Cow;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, Responder, ResponseError};
use keyward_api::{ErrorBody, ErrorCode, Validation};
use uuid::Uuid;
use uuid::fmt::Hyphenated;

/// An error response. The middleware adds the request's id.
#[derive(Debug)]
pub(crate) struct Problem {
    pub code: ErrorCode,
    /// Boxed, so that a `Result` stays small on success.
    parts: Box<Parts>,
}

#[derive(Debug, Default)]
struct Parts {
    message: Cow<'static, str>,
    detail: Option<Cow<'static, str>>,
    validations: Vec<Validation>,
    hint: Option<Cow<'static, str>>,
    headers: Vec<(HeaderName, Cow<'static, str>)>,
    /// Further fields of the body: an object, or null.
    extended: serde_json::Value,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The usual body with further fields.
#[derive(serde::Serialize)]
struct Extended<'a> {
    #[serde(flatten)]
    body: ErrorBody<'a>,
    #[serde(flatten)]
    extended: &'a serde_json::Map<String, serde_json::Value>,
}

impl Problem {
    pub fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        let problem = Self { code, parts: Box::new(Parts { message: message.into(), ..Parts::default() }) };
        if problem.status() == StatusCode::UNAUTHORIZED {
            return problem.header(header::WWW_AUTHENTICATE, "Bearer realm=\"keyward\"");
        }
        problem
    }

    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.parts.detail = Some(detail.into());
        self
    }

    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.parts.hint = Some(hint.into());
        self
    }

    pub fn validation(mut self, field: &str, detail: impl Into<String>) -> Self {
        self.parts.validations.push(Validation::new(field, detail));
        self
    }

    /// Sets a header, and replaces an earlier value of the same name.
    pub fn header(mut self, name: HeaderName, value: impl Into<Cow<'static, str>>) -> Self {
        self.parts.headers.retain(|(known, _)| *known != name);
        self.parts.headers.push((name, value.into()));
        self
    }

    /// Adds the fields of an object to the body.
    pub fn extend(mut self, fields: serde_json::Value) -> Self {
        self.parts.extended = fields;
        self
    }

    /// Keeps the underlying error, for the log only.
    pub fn cause(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.parts.cause = Some(cause.into());
        self
    }

    /// The request is malformed.
    pub fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::BadRequest, message)
    }

    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Builds the response, with the request's id.
    pub fn answer(&self, request_id: Uuid) -> HttpResponse {
        let Parts { message, detail, validations, hint, headers, extended, .. } = &*self.parts;
        let mut id = [0; Hyphenated::LENGTH];
        let mut body = ErrorBody::default();
        body.message = Cow::Borrowed(message);
        body.detail = detail.as_deref().map(Cow::Borrowed);
        body.validations = Cow::Borrowed(validations);
        body.hint = hint.as_deref().map(Cow::Borrowed);
        body.code = Cow::Borrowed(self.code.as_str());
        body.request_id = Cow::Borrowed(request_id.hyphenated().encode_lower(&mut id));
        let mut answer = HttpResponse::build(self.status());
        if matches!(self.code, ErrorCode::RequestTimeout | ErrorCode::PayloadTooLarge) {
            // The server does not read the rest of the request.
            answer.force_close();
        }
        for (name, value) in headers {
            // A value may contain text from a client. If it is not valid in a header, it is left out.
            if let Ok(value) = HeaderValue::from_str(value) {
                answer.insert_header((name.clone(), value));
            }
        }
        match extended.as_object() {
            Some(extended) => answer.json(Extended { body, extended }),
            None => answer.json(body),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.parts.message)
    }
}

impl std::error::Error for Problem {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.parts.cause.as_ref().map(|cause| cause.as_ref() as &(dyn std::error::Error + 'static))
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    /// Empty: [`super::middleware()`] finds the problem in the response and adds the body.
    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.status())
    }
}

impl Responder for Problem {
    type Body = actix_web::body::BoxBody;

    fn respond_to(self, _: &actix_web::HttpRequest) -> HttpResponse {
        HttpResponse::from_error(self)
    }
}
