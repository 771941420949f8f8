//! Creates users.

use keyward_domain::access::{self, Act};
use keyward_domain::user::{Email, Password, UserLogin, UserStatus, Username};
use keyward_domain::{Roles, User, UserId};
use keyward_storage::{Lane, StoreError, users};
use zeroize::Zeroizing;

use crate::Service;
use crate::caller::Caller;
use crate::error::Error;

/// Parameters of a new user.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// E-mail address.
    pub email: Email,
    /// Username.
    pub username: Username,
    /// Display name; may be empty.
    pub name: String,
    /// Password login or service account.
    pub login: UserLogin,
    /// The password; none for a service account.
    pub password: Option<Password>,
    /// Roles.
    pub roles: Roles,
}

/// Creates users for a caller who may do so.
#[derive(Debug)]
pub struct UserMaker<'a> {
    service: &'a Service,
    caller: &'a Caller,
}

impl Service {
    /// Checks that the caller may create users. The calling key's allow list must cover all users.
    ///
    /// # Errors
    /// [`Error::ResourceNotAllowed`] or [`Error::Forbidden`] if the caller may not.
    pub fn user_maker<'a>(&'a self, caller: &'a Caller) -> Result<UserMaker<'a>, Error> {
        caller.require_all_of(Act::CreateUser.resource())?;
        caller.require(Act::CreateUser, caller.user())?;
        Ok(UserMaker { service: self, caller })
    }
}

impl UserMaker<'_> {
    /// Creates an active user.
    ///
    /// # Errors
    /// If the caller may not assign these roles, or the username or address is taken.
    pub async fn create(&self, new: NewUser) -> Result<User, Error> {
        let (service, caller) = (self.service, self.caller);
        if !access::may_give(&caller.user().roles, &new.roles) {
            return Err(Error::OwnersOnly);
        }
        let hash = match &new.password {
            Some(password) => Some(service.inner.passwords.hash(Zeroizing::new(password.expose().to_vec())).await?),
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
        service
            .change(Lane::Normal, move |tx| {
                let caller = caller.confirm(tx)?;
                caller.require(Act::CreateUser, caller.user())?;
                if !access::may_give(&caller.user().roles, &made.roles) {
                    return Err(Error::OwnersOnly);
                }
                let by_name = users::find_login(tx, made.username.as_str())?.map(|_| Error::UsernameTaken);
                let by_email = users::find_login(tx, made.email.as_str())?.map(|_| Error::EmailTaken);
                if let Some(taken) = by_name.or(by_email) {
                    return Err(taken);
                }
                users::create(tx, &made, hash.as_deref(), &caller.origin()).map_err(|error| match error {
                    // Another server created a user with this name or address first.
                    StoreError::Taken => Error::UsernameTaken,
                    other => Error::Store(other),
                })
            })
            .await?;
        Ok(user)
    }
}
