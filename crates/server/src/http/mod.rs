//! The HTTP layer that all endpoints share: it turns bytes into calls, and results into responses.

mod body;
mod call;
mod connection;
mod credential;
mod cursor;
mod middleware;
mod page;
mod path;
mod problem;
mod refusals;
mod request;

pub(crate) use call::{Call, authenticate_key};
pub(crate) use connection::Connection;
pub(crate) use cursor::UserPage;
pub(crate) use middleware::middleware;
pub(crate) use page::{Page, stream_list};
pub(crate) use path::{IdPath, KeyPath, NamePath, UserPath};
pub(crate) use problem::Problem;

use std::borrow::Cow;

use actix_web::http::{Method, header};
use actix_web::{HttpRequest, web};
use request::RequestContext;

/// Responds to a request that matches no route, after it has read the body.
pub(crate) async fn route_not_found(request: HttpRequest, payload: web::Payload) -> Problem {
    match body::read(&request, payload.into_inner(), keyward_api::BODY_LIMIT).await {
        // The target of CONNECT is another host, for which this server supports no method (RFC 9110,
        // sections 9.3.6 and 10.2.1).
        Ok(_) if *request.method() == Method::CONNECT => Problem::new(
            keyward_api::ErrorCode::MethodNotAllowed,
            "CONNECT is not supported: this server is not a proxy.",
        )
        .header(header::ALLOW, String::new()),
        Ok(_) => Problem::new(keyward_api::ErrorCode::RouteNotFound, "Route not found."),
        Err(problem) => problem,
    }
}

/// Reads the body and discards it.
pub(crate) async fn discard_body(request: &HttpRequest, payload: web::Payload) -> Result<(), Problem> {
    body::read(request, payload.into_inner(), keyward_api::BODY_LIMIT).await.map(drop)
}

/// The context of the current request.
pub(crate) fn context() -> Result<RequestContext, Problem> {
    RequestContext::current()
        .ok_or_else(|| Problem::new(keyward_api::ErrorCode::Internal, "The request has no context."))
}

/// The key that a request presents, as Bearer or in a session token header.
pub(crate) fn presented(request: &HttpRequest) -> Result<Option<Cow<'_, str>>, Problem> {
    credential::presented(request, false)
}
