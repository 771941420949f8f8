//! A call of an endpoint: the extractor that every handler takes.
//!
//! It fixes the order of the checks: receive the body (within limits, unparsed) → authenticate → check
//! the scope that the endpoint declares. The handler then looks up the resource and authorises the
//! caller. Only after that does it parse the body and the query.

use std::borrow::Cow;
use std::marker::PhantomData;

use actix_web::body::BoxBody;
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use keyward_api::{Access, BodyForm, Endpoint, ErrorCode, NoContent, PlainText};
use keyward_domain::user::UserRef;
use keyward_service::activity::Via;
use keyward_service::{Caller, Holder, Lane, Service};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use serde::de::DeserializeOwned;

use super::body;
use super::credential;
use super::problem::Problem;
use super::request::RequestContext;
use crate::app::App;

/// The characters to escape in a query: all except the unreserved characters of RFC 3986.
const IN_QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A call of the endpoint `E`. Its caller is authenticated and has the scope that `E` declares.
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
            let body = body::read(&request, payload, E::BODY_LIMIT).await?;
            let app = request
                .app_data::<web::Data<App>>()
                .cloned()
                .ok_or_else(|| Problem::new(ErrorCode::Internal, "The server is not set up."))?;
            let context = super::context()?;
            context.set_route(E::PATH);
            let presented = credential::presented(&request, E::BODY == BodyForm::Form);
            let caller = match E::ACCESS {
                // A public endpoint ignores an invalid credential, but refuses a malformed request, such
                // as one with a key in the query.
                Access::Public => {
                    presented.or_else(|problem| match problem.code {
                        ErrorCode::BadRequest => Err(problem),
                        _ => Ok(None),
                    })?;
                    None
                }
                Access::SignedIn => Some(authenticate::<E>(&app, &context, presented?).await?),
                Access::Needs(act) => {
                    let caller = authenticate::<E>(&app, &context, presented?).await?;
                    caller.require_scope(act, app.service.catalogue())?;
                    Some(caller)
                }
                Access::NeedsUnlessOneself(act) => {
                    let caller = authenticate::<E>(&app, &context, presented?).await?;
                    let user = request.match_info().get("user").map(str::parse::<UserRef>);
                    if !user.is_some_and(|user| user.is_ok_and(|user| caller.is_self(&user))) {
                        caller.require_scope(act, app.service.catalogue())?;
                    }
                    Some(caller)
                }
            };
            Ok(Self { app, request, context, caller, body, endpoint: PhantomData })
        })
    }
}

async fn authenticate<E: Endpoint>(
    app: &App,
    context: &RequestContext,
    presented: Option<Cow<'_, str>>,
) -> Result<Caller, Problem> {
    let text = presented.ok_or_else(Problem::unauthenticated)?;
    let lane = match E::LANE {
        keyward_api::Lane::Normal => Lane::Normal,
        keyward_api::Lane::Urgent => Lane::Urgent,
    };
    authenticate_key(app, context, &text, Via::Api, lane).await
}

/// Authenticates a presented key, and records whose it is for the request log.
pub(crate) async fn authenticate_key(
    app: &App,
    context: &RequestContext,
    text: &str,
    via: Via,
    lane: Lane,
) -> Result<Caller, Problem> {
    let result = app.service.authenticate(text, via, lane, context.info()).await;
    match &result {
        Ok(caller) => context.set_holder(Holder::from(caller.key())),
        Err(rejection) => rejection.holder().into_iter().for_each(|holder| context.set_holder(holder.clone())),
    }
    Ok(result?)
}

impl<E: Endpoint> Call<E> {
    /// The use cases.
    pub fn service(&self) -> &Service {
        &self.app.service
    }

    pub fn app(&self) -> &App {
        &self.app
    }

    /// The shared state, for a response that outlives the call.
    pub fn app_handle(&self) -> web::Data<App> {
        self.app.clone()
    }

    /// Whether the client is on this machine, without a proxy in between.
    pub fn is_local(&self) -> bool {
        super::request::is_local(&self.request)
    }

    pub fn context(&self) -> &RequestContext {
        &self.context
    }

    /// The authenticated caller.
    ///
    /// # Errors
    /// 401 at a public endpoint, which has no caller.
    pub fn caller(&self) -> Result<&Caller, Problem> {
        self.caller.as_ref().ok_or_else(Problem::unauthenticated)
    }

    /// The path parameters, decoded.
    ///
    /// # Errors
    /// 404 if a parameter is not valid text.
    pub fn path<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let path = web::Path::<T>::from_request(&self.request, &mut Payload::None).into_inner();
        path.map(web::Path::into_inner).map_err(|_malformed| Problem::not_found())
    }

    /// The query parameters.
    ///
    /// # Errors
    /// 400 if a value has the wrong type.
    pub fn query(&self) -> Result<E::Query, Problem> {
        match web::Query::<E::Query>::from_query(self.request.query_string()) {
            Ok(query) => Ok(query.into_inner()),
            Err(error) => {
                Err(Problem::new(ErrorCode::ValidationFailed, "The query has an invalid value.")
                    .detail(error.to_string()))
            }
        }
    }

    /// Parses the body as JSON.
    ///
    /// # Errors
    /// 415 if the media type is not JSON; 400 if the body is not valid JSON, or has the wrong fields.
    pub fn json(&self) -> Result<E::Request, Problem> {
        self.require_body()?;
        // serde would also accept an array that lists the fields in order.
        if self.body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
            return Err(Problem::bad_request("The request's body must be a JSON object."));
        }
        let unreadable = || Problem::bad_request("The request's body cannot be parsed.");
        // One UTF-8 check of the whole body is faster than a check of each string.
        let text = std::str::from_utf8(&self.body)
            .map_err(|error| unreadable().detail(format!("not UTF-8 from byte {} on", error.valid_up_to())))?;
        serde_json::from_str(text).map_err(|error| unreadable().detail(without_values(&error)))
    }

    /// Parses the body as JSON, if one of the media type JSON was sent. Any other body is ignored.
    ///
    /// # Errors
    /// 400 if the body is not valid JSON, or has the wrong fields.
    pub fn json_if_sent(&self) -> Result<Option<E::Request>, Problem> {
        let content_type = self.request.headers().get(header::CONTENT_TYPE);
        let is_json = content_type.is_some_and(|value| is_media_type(value, E::BODY.media_type()));
        if is_json && !self.body.is_empty() { self.json().map(Some) } else { Ok(None) }
    }

    /// Parses the body as a form.
    ///
    /// # Errors
    /// 415 if the media type is not that of a form; 400 if the body has the wrong fields.
    pub fn form(&self) -> Result<E::Request, Problem> {
        self.require_body()?;
        let unreadable = || Problem::bad_request("The request's body cannot be parsed.");
        let text = std::str::from_utf8(&self.body).map_err(|_not_utf8| unreadable())?;
        // A form has the syntax of a query. The error is not shown: it may quote the token.
        match web::Query::<E::Request>::from_query(text) {
            Ok(form) => Ok(form.into_inner()),
            Err(_) => Err(unreadable().hint("Send the form field \"token\" exactly once.")),
        }
    }

    fn require_body(&self) -> Result<(), Problem> {
        let media_type = E::BODY.media_type();
        if self.body.is_empty() {
            return Err(
                Problem::bad_request("The request has no body.").hint(format!("Send a body of type {media_type}."))
            );
        }
        let mut types = self.request.headers().get_all(header::CONTENT_TYPE);
        if types.next().is_some_and(|value| is_media_type(value, media_type)) && types.next().is_none() {
            return Ok(());
        }
        Err(Problem::new(ErrorCode::UnsupportedMediaType, format!("The request's body must be {media_type}."))
            .hint(format!("Send the header \"Content-Type: {media_type}\".")))
    }

    /// Builds the success response.
    ///
    /// # Errors
    /// 500 if the body cannot be serialised.
    pub fn answer(&self, body: &E::Response) -> Result<HttpResponse, Problem> {
        let status = StatusCode::from_u16(E::STATUS).unwrap_or(StatusCode::OK);
        if NoContent::is::<E::Response>() {
            return Ok(HttpResponse::new(status));
        }
        let text = serde_json::to_vec(body)
            .map_err(|error| Problem::new(ErrorCode::Internal, "The response cannot be serialised.").cause(error))?;
        Ok(self.answer_text(text.into()))
    }

    /// Builds the success response of an endpoint that answers with text.
    pub fn answer_plain(&self, PlainText(text): PlainText) -> HttpResponse
    where
        E: Endpoint<Response = PlainText>,
    {
        let status = StatusCode::from_u16(E::STATUS).unwrap_or(StatusCode::OK);
        HttpResponse::build(status).content_type("text/plain; charset=utf-8").body(text)
    }

    /// Builds the success response from a body that is already JSON.
    pub fn answer_text(&self, body: Bytes) -> HttpResponse {
        let status = StatusCode::from_u16(E::STATUS).unwrap_or(StatusCode::OK);
        let mut answer = HttpResponse::with_body(status, BoxBody::new(body));
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        answer
    }

    /// The value of a header; empty if it is not sent.
    pub fn header(&self, name: &str) -> &[u8] {
        self.request.headers().get(name).map_or(&b""[..], HeaderValue::as_bytes)
    }

    /// The `Link` header's value for the page after the cursor.
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

/// The parse error without the value that was sent: the value may be a password.
fn without_values(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match (text.split_once(": "), text.split_once(", expected ")) {
        (Some((what @ ("invalid type" | "invalid value"), _)), Some((_, expected))) => {
            format!("{what}: expected {expected}")
        }
        _ => text,
    }
}
