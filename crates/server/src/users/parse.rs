//! What a request, or the command line, says of a new user.

use keyward_api::users::CreateUserRequest;
use keyward_domain::Roles;
use keyward_domain::user::{InvalidPassword, Password, UserLogin};
use keyward_service::users::NewUser;
use zeroize::Zeroizing;

use crate::http::Problem;

/// The longest name that people may be called by, in characters.
const LONGEST_NAME: usize = 128;

/// A field of a new user that is not allowed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidUser {
    #[error("{field}: {detail}")]
    Field { field: &'static str, detail: String },
    #[error("password: {0}")]
    Password(InvalidPassword),
}

impl InvalidUser {
    fn new(field: &'static str, detail: impl ToString) -> Self {
        Self::Field { field, detail: detail.to_string() }
    }
}

impl From<InvalidUser> for Problem {
    fn from(invalid: InvalidUser) -> Self {
        match invalid {
            InvalidUser::Field { field, detail } => Self::invalid_field(field, detail),
            InvalidUser::Password(error) => Self::invalid_password(error),
        }
    }
}

/// Reads a new user. The first field that is not allowed is named.
pub(crate) fn new_user(body: CreateUserRequest) -> Result<NewUser, InvalidUser> {
    let email = body.email.parse().map_err(|error| InvalidUser::new("email", error))?;
    let username = body.username.parse().map_err(|error| InvalidUser::new("username", error))?;
    let name = body.name.unwrap_or_default();
    if name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        let detail = format!("name must have at most {LONGEST_NAME} characters, and no control characters");
        return Err(InvalidUser::new("name", detail));
    }
    let login = body.login_type.filter(|text| !text.is_empty());
    let login: Option<UserLogin> =
        login.map(|text| text.parse()).transpose().map_err(|error| InvalidUser::new("login_type", error))?;
    let login = match (login, body.disable_login.unwrap_or(false)) {
        (Some(UserLogin::Password), true) => {
            let detail = "disable_login is true, but login_type is \"password\"; send one of them";
            return Err(InvalidUser::new("disable_login", detail));
        }
        (_, true) => UserLogin::None,
        (login, false) => login.unwrap_or(UserLogin::Password),
    };
    let password = body.password.map(Zeroizing::new).filter(|text| !text.is_empty());
    let password = match (login, password) {
        (UserLogin::Password, Some(text)) => Some(Password::new(text).map_err(InvalidUser::Password)?),
        (UserLogin::Password, None) => {
            return Err(InvalidUser::new("password", "a user who logs in needs a password"));
        }
        (UserLogin::None, None) => None,
        (UserLogin::None, Some(_)) => {
            return Err(InvalidUser::new("password", "a service account has no password"));
        }
    };
    Ok(NewUser { email, username, name, login, password, roles: roles(&body.roles.unwrap_or_default())? })
}

/// Reads roles by name.
pub(crate) fn roles(names: &[String]) -> Result<Roles, InvalidUser> {
    Roles::parse(names.iter().map(String::as_str)).map_err(|error| InvalidUser::new("roles", error))
}
