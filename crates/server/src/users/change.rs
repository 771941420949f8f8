//! Changing users: roles, status, password, and deleting them.

use actix_web::HttpResponse;
use keyward_api::users::{ActivateUser, DeleteUser, EditRoles, Message, SetPassword, SuspendUser};
use keyward_api::{Endpoint, NoContent};
use keyward_domain::User;
use keyward_domain::access::Act;
use keyward_domain::user::UserStatus;
use keyward_service::users::parse_roles;
use zeroize::Zeroizing;

use super::show;
use crate::http::{Call, Problem};
use crate::keys::UserPath;

/// `PUT /api/v2/users/{user}/roles`
pub(crate) async fn edit_roles(call: Call<EditRoles>) -> Result<HttpResponse, Problem> {
    let target = target(&call, Act::EditRoles).await?;
    let roles = parse_roles(&call.json()?.roles)?;
    let user = call.service().edit_roles(call.caller()?, &target, roles).await?;
    call.answer(&show::user(&user))
}

/// `PUT /api/v2/users/{user}/status/suspend`
pub(crate) async fn suspend(call: Call<SuspendUser>) -> Result<HttpResponse, Problem> {
    let target = target(&call, Act::SetStatus).await?;
    let user = call.service().set_status(call.caller()?, &target, UserStatus::Suspended).await?;
    call.answer(&show::user(&user))
}

/// `PUT /api/v2/users/{user}/status/activate`
pub(crate) async fn activate(call: Call<ActivateUser>) -> Result<HttpResponse, Problem> {
    let target = target(&call, Act::SetStatus).await?;
    let user = call.service().set_status(call.caller()?, &target, UserStatus::Active).await?;
    call.answer(&show::user(&user))
}

/// `PUT /api/v2/users/{user}/password`
pub(crate) async fn set_password(call: Call<SetPassword>) -> Result<HttpResponse, Problem> {
    let target = target(&call, Act::SetPassword).await?;
    let body = call.json()?;
    let (old, new) = (body.old_password.map(Zeroizing::new), Zeroizing::new(body.password));
    call.service().set_password(call.caller()?, &target, old, new).await?;
    call.answer(&NoContent {})
}

/// `DELETE /api/v2/users/{user}`
pub(crate) async fn delete(call: Call<DeleteUser>) -> Result<HttpResponse, Problem> {
    let target = target(&call, Act::DeleteUser).await?;
    call.service().delete_user(call.caller()?, &target).await?;
    call.answer(&Message { message: "User has been deleted!".to_owned() })
}

async fn target<E: Endpoint>(call: &Call<E>, act: Act) -> Result<User, Problem> {
    let UserPath { user } = call.path()?;
    Ok(call.service().user_for(call.caller()?, act, &user).await?)
}
