//! Showing a user and their roles.
//!
//! Use cases: `crates/service/src/users/view.rs`.

use actix_web::HttpResponse;
use keyward_api::users::{RoleNames, ViewRoles, ViewUser};
use keyward_service::right;

use super::show;
use crate::http::{Call, Problem, UserPath};

/// `GET /api/v2/users/{user}`
pub(crate) async fn view(call: Call<ViewUser>) -> Result<HttpResponse, Problem> {
    let UserPath { user } = call.path()?;
    let found = call.service().view_user(call.caller()?, &user).await?;
    call.answer(&show::user(&found))
}

/// `GET /api/v2/users/{user}/roles`
pub(crate) async fn roles(call: Call<ViewRoles>) -> Result<HttpResponse, Problem> {
    let UserPath { user } = call.path()?;
    let found = call.service().user(call.caller()?, right::ReadUsers, &user).await?.view();
    call.answer(&RoleNames { roles: found.roles.iter().map(|role| role.to_string()).collect() })
}
