//! From bytes to calls and back: what all endpoints have in common.

mod around;
mod body;
mod call;
mod credential;
mod cursor;
mod page;
mod problem;
mod refusals;
mod request;

pub(crate) use around::around;
pub(crate) use call::Call;
pub(crate) use cursor::UserPage;
pub(crate) use page::{Page, stream_list};
pub(crate) use problem::Problem;

use std::borrow::Cow;

use actix_web::{HttpRequest, web};
use request::RequestContext;

/// Answers what matches no route, after taking in what the client still sends.
pub(crate) async fn route_not_found(payload: web::Payload) -> Problem {
    match body::read(payload.into_inner(), body::LIMIT).await {
        Ok(_) => Problem::new(keyward_api::ErrorCode::RouteNotFound, "Route not found."),
        Err(problem) => problem,
    }
}

/// Takes in what the client still sends, where nobody looks at it.
pub(crate) async fn discard_body(payload: web::Payload) -> Result<(), Problem> {
    body::read(payload.into_inner(), body::LIMIT).await.map(drop)
}

/// What is known of a request before anything in it is believed.
pub(crate) fn context() -> Result<RequestContext, Problem> {
    RequestContext::current()
        .ok_or_else(|| Problem::new(keyward_api::ErrorCode::Internal, "The request has no context."))
}

/// The key that a request presents as Bearer or in a header of ours.
pub(crate) fn presented(request: &HttpRequest) -> Result<Option<Cow<'_, str>>, Problem> {
    credential::presented(request, false)
}
