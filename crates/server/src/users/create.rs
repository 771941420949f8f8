//! `POST /api/v2/users`: creates a user or a service account.
//!
//! Use cases: `crates/service/src/users/create.rs`.

use actix_web::HttpResponse;
use keyward_api::users::CreateUser;

use super::{parse, show};
use crate::http::{Call, Problem};

pub(crate) async fn create(call: Call<CreateUser>) -> Result<HttpResponse, Problem> {
    let maker = call.service().user_maker(call.caller()?)?;
    let user = maker.create(parse::new_user(call.json()?)?).await?;
    call.answer(&show::user(&user))
}
