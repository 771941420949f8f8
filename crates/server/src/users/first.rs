//! The first user, who becomes an owner.
//!
//! Use cases: `crates/service/src/login.rs`.

use actix_web::HttpResponse;
use keyward_api::headers::SETUP_CODE;
use keyward_api::users::{CreateFirstUser, CreateUserRequest, CreatedFirstUser, Message, ViewFirstUser};
use keyward_api::{Endpoint as _, ErrorCode};

use keyward_service::Error;

use super::parse;
use crate::http::{Call, Problem};

/// `GET /api/v2/users/first`
pub(crate) async fn view(call: Call<ViewFirstUser>) -> Result<HttpResponse, Problem> {
    if call.service().has_first_user().await? {
        return call.answer(&Message { message: "The initial user has already been created!".to_owned() });
    }
    Err(Problem::new(ErrorCode::NoFirstUser, "The initial user has not been created!").hint(format!(
        "Create it with {} {}.",
        CreateFirstUser::METHOD.as_str(),
        CreateFirstUser::PATH
    )))
}

/// `POST /api/v2/users/first`: from this machine, or with the setup code.
pub(crate) async fn create(call: Call<CreateFirstUser>) -> Result<HttpResponse, Problem> {
    if !call.is_local() && !call.service().is_setup_code(call.header(SETUP_CODE)).await? {
        if call.service().has_first_user().await? {
            return Err(Error::FirstUserExists.into());
        }
        return Err(Problem::new(
            ErrorCode::SetupCodeRequired,
            "Creating the first user from another machine needs the setup code.",
        )
        .hint("Send the code that the last started server printed in the header Keyward-Setup-Code."));
    }
    let body = call.json()?;
    let new = CreateUserRequest {
        email: body.email,
        username: body.username,
        name: body.name,
        password: Some(body.password),
        ..CreateUserRequest::default()
    };
    let user = call.service().create_first_user(call.context().info(), parse::new_user(new)?).await?;
    call.answer(&CreatedFirstUser { user_id: user.id.as_uuid() })
}
