//! The first user, login and logout.

use std::fmt;

use keyward_api::users::{self, CreateFirstUserRequest, Login, LoginRequest, Logout, ViewFirstUser};
use keyward_api::{ErrorCode, headers};
use uuid::Uuid;
use zeroize::Zeroize as _;

use crate::call::Call;
use crate::client::Client;
use crate::error::Error;
use crate::secret::SecretString;

/// The first user of a new server, who becomes an owner.
#[derive(Clone)]
#[must_use]
pub struct CreateFirstUser {
    email: String,
    username: String,
    name: Option<String>,
    password: SecretString,
    setup_code: Option<SecretString>,
}

impl CreateFirstUser {
    /// A user with this e-mail address, username and password (12 to 256 bytes).
    pub fn new(email: impl Into<String>, username: impl Into<String>, password: impl Into<SecretString>) -> Self {
        Self { email: email.into(), username: username.into(), name: None, password: password.into(), setup_code: None }
    }

    /// The full name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The setup code, which the server printed at startup. Requests from another machine need it.
    pub fn setup_code(mut self, code: impl Into<SecretString>) -> Self {
        self.setup_code = Some(code.into());
        self
    }
}

impl fmt::Debug for CreateFirstUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateFirstUser").field("username", &self.username).finish_non_exhaustive()
    }
}

impl Client {
    /// Whether the first user exists.
    ///
    /// # Errors
    /// Any answer other than yes or no, such as the 404 of another program.
    pub async fn has_first_user(&self) -> Result<bool, Error> {
        match self.call(Call::<ViewFirstUser>::new(&[])?).await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some(ErrorCode::NoFirstUser.as_str()) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Creates the first user and returns their ID. This is never retried.
    ///
    /// # Errors
    /// [`Error::Api`] if a user exists (409), a field is invalid (400), or the setup code is missing or
    /// wrong (403, code `setup_code_required`).
    pub async fn create_first_user(&self, req: &CreateFirstUser) -> Result<Uuid, Error> {
        let mut request = CreateFirstUserRequest {
            email: req.email.clone(),
            username: req.username.clone(),
            name: req.name.clone(),
            password: req.password.expose().to_owned(),
        };
        let call = Call::<users::CreateFirstUser>::new(&[])?.body(&request);
        request.password.zeroize();
        let call = match &req.setup_code {
            Some(code) => call?.secret_header(headers::SETUP_CODE, "setup code", code.expose())?,
            None => call?,
        };
        Ok(self.call(call).await?.value.user_id)
    }

    /// Logs in and returns the session token, for [`with_token`](Client::with_token). This is never
    /// retried.
    ///
    /// # Errors
    /// [`Error::Api`] if the e-mail address, username or password is wrong or the user is suspended
    /// (401).
    pub async fn login(&self, email_or_username: &str, password: &SecretString) -> Result<SecretString, Error> {
        let mut request = LoginRequest { email: email_or_username.to_owned(), password: password.expose().to_owned() };
        let call = Call::<Login>::new(&[])?.body(&request);
        request.password.zeroize();
        Ok(self.call(call?.with_secret_answer()).await?.value.session_token.into())
    }

    /// Logs out: expires the client's credential.
    ///
    /// # Errors
    /// [`Error::Api`] if the credential is no longer valid (401).
    pub async fn logout(&self) -> Result<(), Error> {
        self.call(Call::<Logout>::new(&[])?).await?;
        Ok(())
    }
}
