//! Making users, and reading what a request says of a new one.

use keyward_domain::access::{self, Act};
use keyward_domain::user::{Email, Password, UserLogin, UserStatus, Username};
use keyward_domain::{Roles, User, UserId};
use keyward_storage::{Lane, StoreError, users};
use zeroize::Zeroizing;

use crate::Service;
use crate::caller::Caller;
use crate::error::Error;

/// The longest name that people may be called by, in characters.
const LONGEST_NAME: usize = 128;

/// A user to be made.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Their e-mail address.
    pub email: Email,
    /// Their username.
    pub username: Username,
    /// What people call them; may be empty.
    pub name: String,
    /// With a password, or a service account.
    pub login: UserLogin,
    /// The password, unless it is a service account.
    pub password: Option<Password>,
    /// Their roles.
    pub roles: Roles,
}

/// Reads a new user, as a request has it.
///
/// # Errors
/// [`Error::InvalidField`] names the first field that is not allowed.
pub fn parse_new_user(
    email: &str,
    username: &str,
    name: Option<String>,
    password: Option<Zeroizing<String>>,
    login_type: Option<&str>,
    roles: &[String],
) -> Result<NewUser, Error> {
    let email = email.parse().map_err(|error| Error::field("email", error))?;
    let username = username.parse().map_err(|error| Error::field("username", error))?;
    let name = name.unwrap_or_default();
    if name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        let detail = format!("name must have at most {LONGEST_NAME} characters, and no control characters");
        return Err(Error::field("name", detail));
    }
    let login: UserLogin = login_type
        .filter(|text| !text.is_empty())
        .map_or(Ok(UserLogin::Password), str::parse)
        .map_err(|error| Error::field("login_type", error))?;
    let password = password.filter(|text| !text.is_empty());
    let password = match (login, password) {
        (UserLogin::Password, Some(text)) => {
            Some(Password::new(text).map_err(|error| Error::field("password", error))?)
        }
        (UserLogin::Password, None) => return Err(Error::field("password", "a user who logs in needs a password")),
        (UserLogin::None, None) => None,
        (UserLogin::None, Some(_)) => return Err(Error::field("password", "a service account has no password")),
    };
    Ok(NewUser { email, username, name, login, password, roles: parse_roles(roles)? })
}

/// Reads roles by name.
///
/// # Errors
/// [`Error::InvalidField`] names the first that is none.
pub fn parse_roles(names: &[String]) -> Result<Roles, Error> {
    Roles::parse(names.iter().map(String::as_str)).map_err(|error| Error::field("roles", error))
}

impl Service {
    /// May the caller make users at all? Asked before the request's body is read.
    ///
    /// # Errors
    /// When they may not.
    pub fn may_create_user(&self, caller: &Caller) -> Result<(), Error> {
        caller.require_all_of(Act::CreateUser.resource())?;
        caller.require(Act::CreateUser, caller.user())
    }

    /// Makes a user, active.
    ///
    /// # Errors
    /// When the caller may not give such roles, or the username or address is taken.
    pub async fn create_user(&self, caller: &Caller, new: NewUser) -> Result<User, Error> {
        if !access::may_give(&caller.user().roles, &new.roles) {
            return Err(Error::Forbidden("only an owner may make owners"));
        }
        let hash = match &new.password {
            Some(password) => Some(self.inner.passwords.hash(Zeroizing::new(password.expose().to_vec())).await?),
            None => None,
        };
        let user = User {
            id: UserId::random(),
            username: new.username,
            name: new.name,
            email: new.email,
            login: new.login,
            status: UserStatus::Active,
            roles: new.roles,
            created_at: caller.now,
            updated_at: caller.now,
            last_seen_at: None,
        };
        let (made, caller) = (user.clone(), caller.clone());
        self.change(Lane::Normal, move |tx| {
            let caller = caller.confirm(tx)?;
            caller.require(Act::CreateUser, caller.user())?;
            if !access::may_give(&caller.user().roles, &made.roles) {
                return Err(Error::Forbidden("only an owner may make owners"));
            }
            let by_name = users::find_login(tx, made.username.as_str())?.map(|_| "username");
            let by_email = users::find_login(tx, made.email.as_str())?.map(|_| "email");
            if let Some(field) = by_name.or(by_email) {
                return Err(Error::UserTaken(field));
            }
            users::create(tx, &made, hash.as_deref(), &caller.origin()).map_err(|error| match error {
                // Another server was faster.
                StoreError::Taken => Error::UserTaken("username"),
                other => Error::Store(other),
            })
        })
        .await?;
        Ok(user)
    }
}
