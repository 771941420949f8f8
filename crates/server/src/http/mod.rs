//! The HTTP layer that all endpoints share: it turns bytes into calls, and results into responses.

mod body;
mod call;
mod credential;
mod cursor;
mod middleware;
mod page;
mod path;
mod problem;
mod refusals;
mod request;

pub(crate) use call::{Call, authenticate_key};
pub(crate) use cursor::UserPage;
pub(crate) use middleware::middleware;
pub(crate) use page::{Page, stream_list};
pub(crate) use path::{KeyPath, NamePath, UserPath};
pub(crate) use problem::Problem;

use std::borrow::Cow;

use actix_web::{HttpRequest, web};
use request::RequestContext;

/// Responds to a request that matches no route, after it has read the body.
pub(crate) async fn route_not_found(payload: web::Payload) -> Problem {
    match body::read(payload.into_inner(), keyward_api::BODY_LIMIT).await {
        Ok(_) => Problem::new(keyward_api::ErrorCode::RouteNotFound, "Route not found."),
        Err(problem) => problem,
    }
}

/// Reads the body and discards it.
pub(crate) async fn discard_body(payload: web::Payload) -> Result<(), Problem> {
    body::read(payload.into_inner(), keyward_api::BODY_LIMIT).await.map(drop)
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
