//! What each refusal of a use case looks like to the client. The only place where one becomes the
//! other.

use std::borrow::Cow;

use actix_web::http::header;
use keyward_api::ErrorCode;
use keyward_service::{Error, InvalidField, Rejection, StoreError};

use super::problem::Problem;

const SIGNED_OUT: &str = "You are signed out or your session has expired. Please sign in again to continue.";
const NOT_FOUND: &str = "Resource not found or you do not have access to this resource";
const INVALID_TOKEN: &str = "Failed to validate create API key request.";

impl Problem {
    /// No credential was sent.
    pub fn unauthenticated() -> Self {
        Self::new(ErrorCode::Unauthenticated, SIGNED_OUT)
            .detail("API key is invalid.")
            .hint("No key was sent. Send one as \"Authorization: Bearer <key>\".")
    }

    /// A credential was sent, and it is not good.
    pub fn invalid_key() -> Self {
        // Written out, since nothing is made up for the one refusal that strangers can have as often as they like.
        const ASKS: &str =
            "Bearer realm=\"keyward\", error=\"invalid_token\", error_description=\"API key is invalid.\"";
        let problem = Self::new(ErrorCode::InvalidKey, SIGNED_OUT).detail("API key is invalid.");
        problem.header(header::WWW_AUTHENTICATE, ASKS)
    }

    /// Absent and hidden: one answer.
    pub fn not_found() -> Self {
        Self::new(ErrorCode::NotFound, NOT_FOUND)
    }

    /// RFC 6750, §3.1.
    fn invalid_token(self, description: &str) -> Self {
        let value = format!("Bearer realm=\"keyward\", error=\"invalid_token\", error_description=\"{description}\"");
        self.header(header::WWW_AUTHENTICATE, value)
    }

    fn unavailable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(ErrorCode::Unavailable, "The server cannot answer now.")
            .hint("Try again in a moment.")
            .header(header::RETRY_AFTER, "1")
            .cause(error)
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::Invalid => Self::invalid_key(),
            Rejection::Expired(at) => Self::new(ErrorCode::KeyExpired, SIGNED_OUT)
                .detail(format!("API key expired at \"{at}\"."))
                .hint("Sign in again, or create a new token.")
                .invalid_token(&format!("API key expired at {at}.")),
            Rejection::Suspended => suspended().invalid_token("User is not active."),
            Rejection::Failed(error) => error.into(),
        }
    }
}

fn suspended() -> Problem {
    Problem::new(ErrorCode::UserSuspended, "User is not active: the account is suspended.")
        .hint("Ask an administrator to activate the account.")
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::not_found(),
            Error::Forbidden(why) => Self::new(ErrorCode::Forbidden, "You are not allowed to do this.").detail(why),
            Error::CallerEnded(Some(at)) => Rejection::Expired(at).into(),
            Error::CallerEnded(None) => Self::invalid_key(),
            Error::InsufficientScope(scope) => {
                let header = format!("Bearer realm=\"keyward\", error=\"insufficient_scope\", scope=\"{scope}\"");
                Self::new(ErrorCode::InsufficientScope, format!("The API key lacks the scope \"{scope}\"."))
                    .hint("Use a key that has this scope.")
                    .header(header::WWW_AUTHENTICATE, header)
            }
            Error::ResourceNotAllowed(resource) => Self::new(
                ErrorCode::ResourceNotAllowed,
                format!("The API key's allow list does not cover \"{resource}\"."),
            )
            .hint("Use a key whose allow list covers it."),
            Error::ExceedsCaller(exceeds) => {
                Self::new(ErrorCode::ScopeExceedsCaller, "A key cannot make a key that may do more than itself.")
                    .detail(exceeds.to_string())
                    .hint("Ask for less, or make the key from a session.")
            }
            Error::UnknownScope(unknown) => {
                let hint = match unknown.near.as_slice() {
                    [] => "GET /api/v2/auth/scopes lists the scopes.".to_owned(),
                    near => format!("Did you mean {}? GET /api/v2/auth/scopes lists the scopes.", near.join(" or ")),
                };
                Self::new(ErrorCode::InvalidScope, unknown.to_string())
                    .validation("scopes", unknown.to_string())
                    .hint(hint)
            }
            Error::InvalidTokenName(error) => validation(INVALID_TOKEN, "token_name", error.to_string()),
            Error::InvalidAllowList(error) => validation(error.to_string(), "allow_list", error.to_string()),
            Error::InvalidLifetime { detail, hint } => validation(INVALID_TOKEN, "lifetime", detail).hint(hint),
            Error::InvalidField(InvalidField { field, detail, hint }) => {
                let problem = validation("The request has a field that is not allowed.", field, detail);
                match hint {
                    Some(hint) => problem.hint(hint),
                    None => problem,
                }
            }
            Error::InvalidSearch(terms) => terms
                .into_iter()
                .fold(Self::new(ErrorCode::ValidationFailed, "Invalid audit search query."), |problem, term| {
                    problem.validation(&term.field, term.detail)
                }),
            Error::TokenNameTaken(name) => {
                let message = format!("A token with name \"{name}\" already exists.");
                Self::new(ErrorCode::Conflict, message.clone())
                    .validation("name", message)
                    .hint("Choose another name, or expire that token first.")
            }
            Error::UserTaken(field) => {
                let message = format!("A user with this {field} already exists.");
                Self::new(ErrorCode::Conflict, message.clone()).validation(field, message)
            }
            Error::FirstUserExists => {
                Self::new(ErrorCode::Conflict, "The initial user has already been created.").hint("Log in instead.")
            }
            Error::OnOneself(why) => Self::new(ErrorCode::ValidationFailed, capitalised(why)),
            Error::LastOwner => {
                Self::new(ErrorCode::ValidationFailed, "The last active owner cannot be demoted, suspended or deleted.")
                    .hint("Make another user an owner first.")
            }
            Error::IncorrectCredentials => Self::new(ErrorCode::IncorrectCredentials, "Incorrect email or password."),
            Error::Suspended => suspended(),
            Error::PasswordsBusy => Self::unavailable(Error::PasswordsBusy),
            Error::Store(error @ StoreError::Damaged { .. }) => internal(error),
            Error::Store(error) => Self::unavailable(error),
            error @ (Error::Random(_) | Error::Hash(_) | Error::ClockBehind { .. }) => internal(error),
            // A refusal that is not listed yet is a fault of ours, not the client's.
            error => internal(error),
        }
    }
}

fn validation(message: impl Into<Cow<'static, str>>, field: &str, detail: String) -> Problem {
    Problem::new(ErrorCode::ValidationFailed, message).validation(field, detail.clone()).detail(detail)
}

fn internal(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Problem {
    Problem::new(ErrorCode::Internal, "The server made a mistake.")
        .hint("Tell the operator the request id; the server's log has the cause.")
        .cause(error)
}

fn capitalised(text: &str) -> String {
    let mut symbols = text.chars();
    let first = symbols.next().map(|symbol| symbol.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", symbols.as_str())
}
