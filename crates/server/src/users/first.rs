//! The first user, who becomes an owner.

use actix_web::HttpResponse;
use keyward_api::headers::SETUP_CODE;
use keyward_api::users::{CreateFirstUser, CreatedFirstUser, Message, ViewFirstUser};
use keyward_api::{Endpoint as _, ErrorCode};
use keyward_service::users::parse_new_user;
use zeroize::Zeroizing;

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

/// `POST /api/v2/users/first`: from this machine, or with the code that the server printed.
pub(crate) async fn create(call: Call<CreateFirstUser>) -> Result<HttpResponse, Problem> {
    if !call.is_local() && !call.has_header(SETUP_CODE, &call.app().setup_code) {
        return Err(Problem::new(
            ErrorCode::SetupCodeRequired,
            "Creating the first user from another machine needs the setup code.",
        )
        .hint("Send the code that the server printed at its start, in the header Keyward-Setup-Code."));
    }
    let body = call.json()?;
    let password = Some(Zeroizing::new(body.password));
    let new = parse_new_user(&body.email, &body.username, body.name, password, None, &[])?;
    let user = call.service().create_first_user(call.context().info(), new).await?;
    call.answer(&CreatedFirstUser { user_id: user.id.as_uuid() })
}
