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

use actix_web::web;

/// Answers what matches no route, after taking in what the client still sends.
pub(crate) async fn route_not_found(payload: web::Payload) -> Problem {
    match body::read(payload.into_inner(), body::LIMIT).await {
        Ok(_) => Problem::new(keyward_api::ErrorCode::RouteNotFound, "Route not found."),
        Err(problem) => problem,
    }
}
