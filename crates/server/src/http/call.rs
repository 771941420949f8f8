//! A call of an endpoint: the one extractor that every handler takes.
//!
//! It stands for the order in which a request is judged: its body is taken in (bounded, not looked
//! at) → who asks → the scope that the endpoint declares. The handler looks things up and decides
//! who may, and only then reads the body and the query.

use std::borrow::Cow;
use std::marker::PhantomData;

use actix_web::body::BoxBody;
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use keyward_api::users::Login;
use keyward_api::{Access, BodyForm, Described as _, Endpoint, ErrorCode};
use keyward_domain::access::Act;
use keyward_service::{Caller, Lane, Service};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use serde::de::DeserializeOwned;

use super::body;
use super::credential;
use super::problem::Problem;
use super::request::RequestContext;
use crate::app::App;

/// What stands as it is in a query: the unreserved characters of RFC 3986.
const IN_QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A call of the endpoint `E`, authenticated and in scope as `E` declares.
pub(crate) struct Call<E> {
    app: web::Data<App>,
    request: HttpRequest,
    context: RequestContext,
    caller: Option<Caller>,
    body: Bytes,
    endpoint: PhantomData<E>,
}

impl<E: Endpoint + 'static> FromRequest for Call<E> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let payload = payload.take();
        Box::pin(async move {
            let limit = if E::NAME == Login::NAME { body::LOGIN_LIMIT } else { body::LIMIT };
            let body = body::read(payload, limit).await?;
            let app = request
                .app_data::<web::Data<App>>()
                .cloned()
                .ok_or_else(|| Problem::new(ErrorCode::Internal, "The server is not set up."))?;
            let context = super::context()?;
            context.set_route(E::PATH);
            let presented = credential::presented(&request, E::BODY == BodyForm::Form);
            let caller = match E::ACCESS {
                // Whatever else is wrong with a credential is no matter where none is needed, but a
                // key in the query is.
                Access::Public => {
                    presented.or_else(|problem| match problem.code {
                        ErrorCode::BadRequest => Err(problem),
                        _ => Ok(None),
                    })?;
                    None
                }
                Access::SignedIn => Some(authenticate(&app, &context, presented?, lane(None)).await?),
                Access::Needs(act) => {
                    let caller = authenticate(&app, &context, presented?, lane(Some(act))).await?;
                    // Seeing oneself needs no scope; that use case asks for it itself.
                    if E::NAME != keyward_api::users::ViewUser::NAME {
                        caller.require_scope(act, app.service.catalogue())?;
                    }
                    Some(caller)
                }
            };
            Ok(Self { app, request, context, caller, body, endpoint: PhantomData })
        })
    }
}

/// Ending keys stands in a queue of its own, from the first look-up on.
fn lane(act: Option<Act>) -> Lane {
    match act {
        None | Some(Act::ExpireKey | Act::DeleteKey) => Lane::Urgent,
        Some(_) => Lane::Normal,
    }
}

async fn authenticate(
    app: &App,
    context: &RequestContext,
    presented: Option<Cow<'_, str>>,
    lane: Lane,
) -> Result<Caller, Problem> {
    let text = presented.ok_or_else(Problem::unauthenticated)?;
    Ok(app.service.authenticate(&text, lane, context.info()).await?)
}

impl<E: Endpoint> Call<E> {
    /// The use cases.
    pub fn service(&self) -> &Service {
        &self.app.service
    }

    pub fn app(&self) -> &App {
        &self.app
    }

    /// Is the client on this machine, and nobody in between?
    pub fn is_local(&self) -> bool {
        super::request::is_local(&self.request)
    }

    pub fn context(&self) -> &RequestContext {
        &self.context
    }

    /// Who asks.
    ///
    /// # Errors
    /// 401 at a public endpoint, which has no caller.
    pub fn caller(&self) -> Result<&Caller, Problem> {
        self.caller.as_ref().ok_or_else(Problem::unauthenticated)
    }

    /// The parts of the path that vary, decoded.
    ///
    /// # Errors
    /// 404 for what is no text: it names nothing.
    pub fn path<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let path = web::Path::<T>::from_request(&self.request, &mut Payload::None).into_inner();
        path.map(web::Path::into_inner).map_err(|_malformed| Problem::not_found())
    }

    /// What stands behind the `?`.
    ///
    /// # Errors
    /// 400 for a value that is not of its type.
    pub fn query(&self) -> Result<E::Query, Problem> {
        match web::Query::<E::Query>::from_query(self.request.query_string()) {
            Ok(query) => Ok(query.into_inner()),
            Err(error) => Err(Problem::new(ErrorCode::ValidationFailed, "The query has a value that is not allowed.")
                .detail(error.to_string())),
        }
    }

    /// The body, from JSON.
    ///
    /// # Errors
    /// 415 if it is not sent as JSON; 400 if it is none, or not of the endpoint's shape.
    pub fn json(&self) -> Result<E::Request, Problem> {
        self.require_body()?;
        // serde would read an array as the fields in their order.
        if self.body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
            return Err(Problem::bad_request("The request's body must be a JSON object."));
        }
        let unreadable = || Problem::bad_request("The request's body cannot be understood.");
        // Checked at once, which is faster than string by string.
        let text = std::str::from_utf8(&self.body)
            .map_err(|error| unreadable().detail(format!("not UTF-8 from byte {} on", error.valid_up_to())))?;
        serde_json::from_str(text).map_err(|error| unreadable().detail(without_values(&error)))
    }

    /// The body, from a form.
    ///
    /// # Errors
    /// 415 if it is not sent as a form; 400 if it is not of the endpoint's shape.
    pub fn form(&self) -> Result<E::Request, Problem> {
        self.require_body()?;
        let unreadable = || Problem::bad_request("The request's body cannot be understood.");
        let text = std::str::from_utf8(&self.body).map_err(|_not_utf8| unreadable())?;
        // A query is written as a form is. The reason is not told: it may quote the token.
        match web::Query::<E::Request>::from_query(text) {
            Ok(form) => Ok(form.into_inner()),
            Err(_) => Err(unreadable().hint("Send the form field \"token\", once.")),
        }
    }

    fn require_body(&self) -> Result<(), Problem> {
        let media_type = E::BODY.media_type();
        if self.body.is_empty() {
            return Err(Problem::bad_request("The request has no body.").hint(format!("Send one as {media_type}.")));
        }
        let mut types = self.request.headers().get_all(header::CONTENT_TYPE);
        if types.next().is_some_and(|value| is_media_type(value, media_type)) && types.next().is_none() {
            return Ok(());
        }
        Err(Problem::new(ErrorCode::UnsupportedMediaType, format!("The request's body must be {media_type}."))
            .hint(format!("Send the header \"Content-Type: {media_type}\".")))
    }

    /// A success.
    ///
    /// # Errors
    /// 500 if the answer cannot be written as JSON.
    pub fn answer(&self, body: &E::Response) -> Result<HttpResponse, Problem> {
        let status = StatusCode::from_u16(E::STATUS).unwrap_or(StatusCode::OK);
        if E::Response::IS_NOTHING {
            return Ok(HttpResponse::new(status));
        }
        let text = serde_json::to_vec(body)
            .map_err(|error| Problem::new(ErrorCode::Internal, "The answer cannot be written.").cause(error))?;
        Ok(self.answer_text(text.into()))
    }

    /// A success whose body is JSON already.
    pub fn answer_text(&self, body: Bytes) -> HttpResponse {
        let status = StatusCode::from_u16(E::STATUS).unwrap_or(StatusCode::OK);
        let mut answer = HttpResponse::with_body(status, BoxBody::new(body));
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        answer
    }

    /// Is a secret that the server knows in this header? Compared in constant time.
    pub fn has_header(&self, name: &str, secret: &str) -> bool {
        let sent = self.request.headers().get(name).map_or(&b""[..], HeaderValue::as_bytes);
        constant_time_eq::constant_time_eq(sent, secret.as_bytes())
    }

    /// The path and query of the page behind the cursor, for the `Link` header.
    pub fn next_page(&self, cursor: &str) -> String {
        let cursor = percent_encoding::utf8_percent_encode(cursor, IN_QUERY);
        let query = self.request.query_string();
        let others = query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("after="));
        let query = others.chain(std::iter::once(format!("after={cursor}").as_str())).collect::<Vec<_>>().join("&");
        format!("<{}?{query}>; rel=\"next\"", self.request.uri().path())
    }
}

fn is_media_type(value: &HeaderValue, wanted: &str) -> bool {
    let essence = value.to_str().ok().and_then(|text| text.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(wanted))
}

/// What is wrong and where, without the value that was sent: it may be a password.
fn without_values(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match (text.split_once(": "), text.split_once(", expected ")) {
        (Some((what @ ("invalid type" | "invalid value"), _)), Some((_, expected))) => {
            format!("{what}: expected {expected}")
        }
        _ => text,
    }
}
