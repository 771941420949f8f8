//! Changing users: roles, status, password, and deleting them.
//!
//! Use cases: `crates/service/src/users/change.rs`.

use actix_web::HttpResponse;
use keyward_api::NoContent;
use keyward_api::users::{ActivateUser, DeleteUser, EditRoles, Message, SetPassword, SuspendUser};
use keyward_domain::user::{Password, UserStatus};
use keyward_service::right;
use zeroize::Zeroizing;

use super::{parse, show};
use crate::http::{Call, Problem, UserPath};

/// `PUT /api/v2/users/{user}/roles`
pub(crate) async fn edit_roles(call: Call<EditRoles>) -> Result<HttpResponse, Problem> {
    let UserPath { user } = call.path()?;
    let user = call.service().user(call.caller()?, right::EditRoles, &user).await?;
    let user = user.edit_roles(parse::roles(&call.json()?.roles)?).await?;
    call.answer(&show::user(&user))
}

/// `PUT /api/v2/users/{user}/status/suspend`
pub(crate) async fn suspend(call: Call<SuspendUser>) -> Result<HttpResponse, Problem> {
    let UserPath { user } = call.path()?;
    let user = call.service().user(call.caller()?, right::SetStatus, &user).await?;
    let user = user.set_status(UserStatus::Suspended).await?;
    call.answer(&show::user(&user))
}

/// `PUT /api/v2/users/{user}/status/activate`
pub(crate) async fn activate(call: Call<ActivateUser>) -> Result<HttpResponse, Problem> {
    let UserPath { user } = call.path()?;
    let user = call.service().user(call.caller()?, right::SetStatus, &user).await?;
    let user = user.set_status(UserStatus::Active).await?;
    call.answer(&show::user(&user))
}

/// `PUT /api/v2/users/{user}/password`
pub(crate) async fn set_password(call: Call<SetPassword>) -> Result<HttpResponse, Problem> {
    let UserPath { user } = call.path()?;
    let user = call.service().user(call.caller()?, right::SetPassword, &user).await?;
    let body = call.json()?;
    let new = Password::new(Zeroizing::new(body.password));
    user.set_password(body.old_password.map(Zeroizing::new), new).await?;
    call.answer(&NoContent {})
}

/// `DELETE /api/v2/users/{user}`
pub(crate) async fn delete(call: Call<DeleteUser>) -> Result<HttpResponse, Problem> {
    let UserPath { user } = call.path()?;
    call.service().user(call.caller()?, right::DeleteUser, &user).await?.delete().await?;
    call.answer(&Message { message: "User has been deleted!".to_owned() })
}
