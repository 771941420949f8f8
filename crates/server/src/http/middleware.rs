//! The middleware around every request: request id, response headers, error bodies, log and metrics.

use std::time::{Duration, Instant};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, web};
use keyward_api::{ErrorCode, headers};
use keyward_service::within;

use super::body;
use super::connection::Busy;
use super::problem::Problem;
use super::request::RequestContext;
use crate::app::App;
use crate::metrics::{self, Counters};
use crate::request_log::Line;
use crate::{LINEAGE_VERSION, VERSION, routes};

const VERSION_HEADER: HeaderName = HeaderName::from_static(headers::VERSION);
const LINEAGE_VERSION_HEADER: HeaderName = HeaderName::from_static(headers::LINEAGE_VERSION);
const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static(headers::REQUEST_ID);

/// How long the database may take in one request; every request is answered within 6 s.
const DATABASE_WITHIN: Duration = Duration::from_millis(5_500);

/// Wraps every request.
pub(crate) async fn middleware(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let began = Instant::now();
    let Some(app) = request.app_data::<web::Data<App>>().cloned() else {
        return Err(Problem::new(ErrorCode::Internal, "The server is not set up.").into());
    };
    let context = RequestContext::of(request.request(), &app);
    let busy = Busy::of(request.request()).cloned();
    busy.iter().for_each(|busy| busy.begin(body::is_announced(request.request())));
    // Handlers and extractors turn their errors into responses; an error here is the framework's own.
    let deadline = tokio::time::Instant::from_std(began) + DATABASE_WITHIN;
    let answer = context.scope(within(deadline, next.call(request))).await;
    busy.iter().for_each(|busy| busy.end());
    let answer = answer?.map_into_boxed_body();
    let (mut answer, code) = shaped(answer, &context);
    add_headers(&mut answer, &context);
    if body::is_upgrade(answer.request()) {
        // What the client sends next is not HTTP.
        answer.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    // The fallback walks the whole route table again, so it runs only if no handler was reached.
    let route = context.route().unwrap_or_else(|| routes::pattern_of(answer.request()));
    let (method, status) = (metrics::method(answer.request().method()), answer.status().as_u16());
    let took = began.elapsed();
    if let Some(counters) = answer.request().app_data::<Counters>() {
        counters.count(method, route, status, took);
    }
    if let (Some(code), Some(holder)) = (code, context.holder().as_ref())
        && refuses_key(code)
    {
        app.service.count_refusal(&holder.key, code.as_str(), context.ip());
    }
    if !app.request_log.takes(route) {
        return Ok(answer);
    }
    app.request_log.add(&Line {
        now: app.service.now(),
        request_id: context.id(),
        method,
        route,
        status,
        code: code.map(ErrorCode::as_str),
        took,
        ip: context.ip(),
        holder: context.holder().as_ref(),
        bytes: match answer.response().body().size() {
            BodySize::None => Some(0),
            BodySize::Sized(bytes) => Some(bytes),
            BodySize::Stream => None,
        },
        headers: answer.request().headers(),
    });
    Ok(answer)
}

/// Whether a request was refused for what its key is, and not for what its owner may do.
fn refuses_key(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::KeyExpired
            | ErrorCode::UserSuspended
            | ErrorCode::Locked
            | ErrorCode::InsufficientScope
            | ErrorCode::ResourceNotAllowed
            | ErrorCode::ScopeExceedsCaller
    )
}

/// Gives every error response its body, including the framework's own. Returns its code as well.
fn shaped(answer: ServiceResponse<BoxBody>, context: &RequestContext) -> (ServiceResponse<BoxBody>, Option<ErrorCode>) {
    if let Some(problem) = answer.response().error().and_then(|error| error.as_error::<Problem>()) {
        if let Some(cause) = std::error::Error::source(problem) {
            tracing::error!(request_id = %context.id(), code = %problem.code, chain = chain(cause), "request failed");
        }
        let (shaped, code) = (problem.answer(context.id()), problem.code);
        return (answer.into_response(shaped), Some(code));
    }
    let ours = answer.headers().contains_key(header::CONTENT_TYPE);
    let code = match answer.status() {
        StatusCode::METHOD_NOT_ALLOWED => ErrorCode::MethodNotAllowed,
        status if status.is_server_error() && !ours => ErrorCode::Internal,
        status if status.is_client_error() && !ours => ErrorCode::BadRequest,
        _ => return (answer, None),
    };
    let mut problem = Problem::new(code, code.meaning().trim());
    if let Some(allow) = answer.headers().get(header::ALLOW).and_then(|allow| allow.to_str().ok()) {
        problem = problem.header(header::ALLOW, allow.to_owned()).hint(format!("This path supports {allow}."));
    }
    let shaped = problem.answer(context.id());
    (answer.into_response(shaped), Some(code))
}

/// An error and its causes, in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn add_headers(answer: &mut ServiceResponse<BoxBody>, context: &RequestContext) {
    let private = ["/api", "/oauth2", "/authz"].iter().any(|prefix| answer.request().path().starts_with(prefix));
    let headers = answer.headers_mut();
    headers.insert(VERSION_HEADER, HeaderValue::from_static(VERSION));
    headers.insert(LINEAGE_VERSION_HEADER, HeaderValue::from_static(LINEAGE_VERSION));
    let mut id = [0; uuid::fmt::Hyphenated::LENGTH];
    if let Ok(id) = HeaderValue::from_str(context.id().hyphenated().encode_lower(&mut id)) {
        headers.insert(REQUEST_ID_HEADER, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if private {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}
