//! Logging in and out.
//!
//! Use cases: `crates/service/src/login.rs`.

use actix_web::HttpResponse;
use keyward_api::users::{Login, LoginResponse, Logout, Message};
use zeroize::Zeroizing;

use crate::http::{Call, Problem};

/// `POST /api/v2/users/login`
pub(crate) async fn log_in(call: Call<Login>) -> Result<HttpResponse, Problem> {
    let body = call.json()?;
    let password = Zeroizing::new(body.password);
    let result = call.service().log_in(call.context().info(), &body.email, password).await.map_err(Problem::from);
    call.app().metrics.count_login(result.as_ref().map_or_else(|problem| problem.code.as_str(), |_| "success"));
    let plain = result?;
    call.answer(&LoginResponse { session_token: plain.expose().to_owned() })
}

/// `POST /api/v2/users/logout`
pub(crate) async fn log_out(call: Call<Logout>) -> Result<HttpResponse, Problem> {
    call.service().log_out(call.caller()?).await?;
    call.answer(&Message { message: "Logged out!".to_owned() })
}
