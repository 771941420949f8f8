//! Users: list, view, create, delete; roles, status, passwords.

use std::fmt;

use futures_util::TryStreamExt as _;
use keyward_api::users::{
    self, ActivateUser, CreateUserRequest, DeleteUser, EditRoles, ListUsers, RoleNames, SetPassword,
    SetPasswordRequest, SuspendUser, User, UsersQuery, ViewRoles, ViewUser,
};
use zeroize::Zeroize as _;

use crate::call::Call;
use crate::client::Client;
use crate::error::Error;
use crate::page::{self, Paged};
use crate::secret::SecretString;
use crate::user_ref::UserRef;

/// Which users to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsersFilter {
    /// A part of the username, name or e-mail address, ignoring case.
    pub q: Option<String>,
}

/// Parameters of a new user.
#[derive(Clone)]
#[must_use]
pub struct CreateUser {
    email: String,
    username: String,
    name: Option<String>,
    password: Option<SecretString>,
    login_type: Option<String>,
    roles: Option<Vec<String>>,
}

impl CreateUser {
    /// A user with this e-mail address and username. Set a [`password`](Self::password) or make it a
    /// [`service_account`](Self::service_account).
    pub fn new(email: impl Into<String>, username: impl Into<String>) -> Self {
        Self {
            email: email.into(),
            username: username.into(),
            name: None,
            password: None,
            login_type: None,
            roles: None,
        }
    }

    /// The full name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The password, 12 to 256 bytes.
    pub fn password(mut self, password: impl Into<SecretString>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Makes it a service account: it has no password, and an owner creates its tokens.
    pub fn service_account(mut self) -> Self {
        self.login_type = Some("none".to_owned());
        self
    }

    /// Adds a role: `owner`, `user-admin` or `auditor`.
    pub fn role(self, role: impl Into<String>) -> Self {
        self.roles([role])
    }

    /// Adds roles.
    pub fn roles(mut self, roles: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.roles.get_or_insert_default().extend(roles.into_iter().map(Into::into));
        self
    }
}

impl fmt::Debug for CreateUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateUser")
            .field("username", &self.username)
            .field("roles", &self.roles)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// The user.
    ///
    /// # Errors
    /// [`Error::Api`] if the user does not exist or is hidden (404).
    pub async fn user(&self, user: &UserRef) -> Result<User, Error> {
        Ok(self.call(Call::<ViewUser>::new(&[&user.to_string()])?).await?.value)
    }

    /// All users that the caller may read. Reads every page.
    ///
    /// # Errors
    /// [`Error::Api`] if the credential lacks the scope (403).
    pub async fn users(&self, filter: &UsersFilter) -> Result<Vec<User>, Error> {
        let (client, q) = (self.clone(), filter.q.clone());
        let users = page::walk(move |page| {
            let (client, q) = (client.clone(), q.clone());
            async move {
                let query = UsersQuery::new(q, page.limit, page.after);
                let answer = client.call(Call::<ListUsers>::new(&[])?.query(&query)?).await?;
                Ok(Paged::new(answer.value.users, answer.next))
            }
        });
        users.try_collect().await
    }

    /// Creates a user. This is never retried.
    ///
    /// # Errors
    /// [`Error::Api`] if the username or e-mail address is taken (409), a field is invalid (400), or
    /// the caller is not allowed to (403).
    pub async fn create_user(&self, req: &CreateUser) -> Result<User, Error> {
        let mut request = CreateUserRequest {
            email: req.email.clone(),
            username: req.username.clone(),
            name: req.name.clone(),
            password: req.password.as_ref().map(|password| password.expose().to_owned()),
            login_type: req.login_type.clone(),
            disable_login: None,
            roles: req.roles.clone(),
        };
        let call = Call::<users::CreateUser>::new(&[])?.body(&request);
        request.password.zeroize();
        Ok(self.call(call?).await?.value)
    }

    /// Deletes the user and expires all their keys.
    ///
    /// # Errors
    /// [`Error::Api`] if the user does not exist or is hidden (404), is the caller or the last owner
    /// (400), or if the caller is not allowed to (403).
    pub async fn delete_user(&self, user: &UserRef) -> Result<(), Error> {
        self.call(Call::<DeleteUser>::new(&[&user.to_string()])?).await?;
        Ok(())
    }

    /// The user's roles, without the implicit member role.
    ///
    /// # Errors
    /// [`Error::Api`] if the user does not exist or is hidden (404).
    pub async fn user_roles(&self, user: &UserRef) -> Result<Vec<String>, Error> {
        Ok(self.call(Call::<ViewRoles>::new(&[&user.to_string()])?).await?.value.roles)
    }

    /// Replaces the user's roles.
    ///
    /// # Errors
    /// [`Error::Api`] if the user does not exist or is hidden (404), is the caller or the last owner
    /// (400), or if the caller is not allowed to (403).
    pub async fn update_user_roles(&self, user: &UserRef, roles: &[String]) -> Result<User, Error> {
        let names = RoleNames { roles: roles.to_vec() };
        Ok(self.call(Call::<EditRoles>::new(&[&user.to_string()])?.body(&names)?).await?.value)
    }

    /// Suspends the user. Their keys are rejected at once.
    ///
    /// # Errors
    /// [`Error::Api`] if the user does not exist or is hidden (404), is the caller or the last owner
    /// (400), or if the caller is not allowed to (403).
    pub async fn suspend_user(&self, user: &UserRef) -> Result<User, Error> {
        Ok(self.call(Call::<SuspendUser>::new(&[&user.to_string()])?).await?.value)
    }

    /// Activates a suspended user. Their unexpired keys work again.
    ///
    /// # Errors
    /// [`Error::Api`] if the user does not exist or is hidden (404), is the caller (400), or if the
    /// caller is not allowed to (403).
    pub async fn activate_user(&self, user: &UserRef) -> Result<User, Error> {
        Ok(self.call(Call::<ActivateUser>::new(&[&user.to_string()])?).await?.value)
    }

    /// Sets the user's password and expires all their keys; for your own password, that includes the
    /// session in use. Your own password also needs the old one.
    ///
    /// # Errors
    /// [`Error::Api`] if the old password is wrong or the new one is invalid (400), the user does not
    /// exist or is hidden (404), or the caller is not allowed to (403).
    pub async fn update_password(
        &self,
        user: &UserRef,
        old: Option<&SecretString>,
        new: &SecretString,
    ) -> Result<(), Error> {
        let mut request = SetPasswordRequest {
            old_password: old.map(|password| password.expose().to_owned()),
            password: new.expose().to_owned(),
        };
        let call = Call::<SetPassword>::new(&[&user.to_string()])?.body(&request);
        request.old_password.zeroize();
        request.password.zeroize();
        self.call(call?).await?;
        Ok(())
    }
}
