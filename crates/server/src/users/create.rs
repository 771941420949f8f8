//! `POST /api/v2/users`: makes a user, or a service account.

use actix_web::HttpResponse;
use keyward_api::users::CreateUser;
use keyward_service::users::parse_new_user;
use zeroize::Zeroizing;

use super::show;
use crate::http::{Call, Problem};

pub(crate) async fn create(call: Call<CreateUser>) -> Result<HttpResponse, Problem> {
    let caller = call.caller()?;
    call.service().may_create_user(caller)?;
    let body = call.json()?;
    let password = body.password.map(Zeroizing::new);
    let roles = body.roles.unwrap_or_default();
    let new = parse_new_user(&body.email, &body.username, body.name, password, body.login_type.as_deref(), &roles)?;
    let user = call.service().create_user(caller, new).await?;
    call.answer(&show::user(&user))
}
