//! Converts each refusal of a use case to an error response. No other module does this.

use std::borrow::Cow;

use actix_web::http::header;
use keyward_api::ErrorCode;
use keyward_domain::Timestamp;
use keyward_domain::audit::InvalidTerm;
use keyward_domain::scope::UnknownScope;
use keyward_domain::user::InvalidPassword;
use keyward_service::{Error, Rejection, StoreError};

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

    /// A credential was sent, but it is not valid.
    pub fn invalid_key() -> Self {
        // A constant, because any stranger can trigger this refusal: it must cost no formatting.
        const ASKS: &str =
            "Bearer realm=\"keyward\", error=\"invalid_token\", error_description=\"API key is invalid.\"";
        let problem = Self::new(ErrorCode::InvalidKey, SIGNED_OUT).detail("API key is invalid.");
        problem.header(header::WWW_AUTHENTICATE, ASKS)
    }

    /// The resource is absent or hidden; both give the same response.
    pub fn not_found() -> Self {
        Self::new(ErrorCode::NotFound, NOT_FOUND)
    }

    /// A field of the request whose value is not allowed.
    pub fn invalid_field(field: &str, detail: impl ToString) -> Self {
        validation("The request has a field with an invalid value.", field, detail.to_string())
    }

    /// A new password that is not allowed.
    pub fn invalid_password(error: InvalidPassword) -> Self {
        match error {
            InvalidPassword::Length(_) => Self::invalid_field("password", error),
            InvalidPassword::TooCommon => Self::new(ErrorCode::PasswordTooCommon, "This password is too common.")
                .validation("password", error.to_string())
                .hint("Choose a password that nobody else uses, for example from a password manager."),
        }
    }

    /// A search that cannot be understood; every term that is wrong is named.
    pub fn invalid_search(terms: Vec<InvalidTerm>) -> Self {
        terms
            .into_iter()
            .fold(Self::new(ErrorCode::ValidationFailed, "Invalid audit search query."), |problem, term| {
                problem.validation(&term.field, term.detail)
            })
    }

    /// A scope that is not in the catalogue.
    pub fn unknown_scope(unknown: UnknownScope) -> Self {
        let hint = match unknown.near.as_slice() {
            [] => "GET /api/v2/auth/scopes lists the scopes.".to_owned(),
            near => format!("Did you mean {}? GET /api/v2/auth/scopes lists the scopes.", near.join(" or ")),
        };
        Self::new(ErrorCode::InvalidScope, unknown.to_string()).validation("scopes", unknown.to_string()).hint(hint)
    }

    /// Adds the `WWW-Authenticate` header of RFC 6750, §3.1.
    fn invalid_token(self, description: &str) -> Self {
        let value = format!("Bearer realm=\"keyward\", error=\"invalid_token\", error_description=\"{description}\"");
        self.header(header::WWW_AUTHENTICATE, value)
    }

    /// The key has expired at this time.
    fn expired(at: Timestamp) -> Self {
        Self::new(ErrorCode::KeyExpired, SIGNED_OUT)
            .detail(format!("API key expired at \"{at}\"."))
            .hint("Sign in again, or create a new token.")
            .invalid_token(&format!("API key expired at {at}."))
    }

    /// The server cannot answer now, but may soon.
    pub fn unavailable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(ErrorCode::Unavailable, "The server is temporarily unavailable.")
            .hint("Try again in a moment.")
            .header(header::RETRY_AFTER, "1")
            .cause(error)
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::Invalid => Self::invalid_key(),
            Rejection::Expired(at, _) => Self::expired(at),
            Rejection::Suspended(_) => suspended().invalid_token("User is not active."),
            Rejection::Locked(message, _) => Self::new(ErrorCode::Locked, message)
                .hint("The key is locked, and not expired. Ask an administrator to remove the lock."),
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
            Error::Forbidden => {
                forbidden("your roles do not let you do this; ask an owner, who can do it or give you the role")
            }
            Error::OwnersOnly => forbidden("only an owner may make owners"),
            Error::CallerEnded(Some(at)) => Self::expired(at),
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
            .hint("Use a key whose allow list covers this resource."),
            Error::ExceedsCaller(exceeds) => {
                Self::new(ErrorCode::ScopeExceedsCaller, "A key cannot create a key with more rights than its own.")
                    .detail(exceeds.to_string())
                    .hint("Ask for fewer rights, or create the key from a session.")
            }
            Error::InvalidTokenName(error) => validation(INVALID_TOKEN, "token_name", error.to_string()),
            Error::InvalidAllowList(error) => validation(error.to_string(), "allow_list", error.to_string()),
            Error::LifetimeNotPositive => {
                invalid_lifetime("lifetime must be positive number greater than 0".to_owned())
                    .hint("Leave lifetime out, or send 0, for the default.")
            }
            Error::LifetimeTooShort(lifetime) => {
                invalid_lifetime(format!("lifetime must be at least 1s, not {} nanoseconds", lifetime.as_nanos()))
                    .hint("lifetime is in nanoseconds: one second is 1000000000.")
            }
            Error::LifetimeTooLong { max, of_an_owner } => {
                let (flag, others) = if of_an_owner {
                    ("--max-admin-token-lifetime", "; a service account may have tokens that live longer")
                } else {
                    ("--max-token-lifetime", "")
                };
                invalid_lifetime(format!("lifetime must be less than or equal to {max}"))
                    .hint(format!("The server's flag {flag} sets this limit{others}."))
            }
            Error::NoRandomName => Self::invalid_field("token_name", "no random name is free; choose a name"),
            Error::InvalidPassword(error) => Self::invalid_password(error),
            error @ (Error::PasswordMissing | Error::NoPasswordToSet) => Self::invalid_field("password", error),
            Error::OldPasswordMissing => {
                Self::invalid_field("old_password", "to change your own password, send the old one")
            }
            error @ Error::OldPasswordIncorrect => Self::invalid_field("old_password", error),
            Error::TokenNameTaken(name) => {
                let message = format!("A token with name \"{name}\" already exists.");
                Self::new(ErrorCode::Conflict, message.clone())
                    .validation("name", message)
                    .hint("Choose another name, or expire that token first.")
            }
            Error::UsernameTaken => user_taken("username"),
            Error::EmailTaken => user_taken("email"),
            Error::FirstUserExists => {
                Self::new(ErrorCode::Conflict, "The initial user has already been created.").hint("Log in instead.")
            }
            Error::OwnRoles => on_oneself("Nobody changes their own roles; ask another owner."),
            Error::OwnStatus => on_oneself("Nobody suspends or activates themselves; ask another owner."),
            Error::OwnDeletion => on_oneself("Nobody deletes themselves; ask another owner."),
            Error::LastOwner => {
                Self::new(ErrorCode::ValidationFailed, "The last active owner cannot be demoted, suspended or deleted.")
                    .hint("Give another user the role \"owner\" first.")
            }
            Error::IncorrectCredentials => Self::new(ErrorCode::IncorrectCredentials, "Incorrect email or password."),
            Error::Suspended => suspended(),
            Error::TooManyAttempts(wait) => {
                let seconds = wait.as_secs() + 1;
                Self::new(ErrorCode::TooManyAttempts, "Too many wrong passwords came from this address.")
                    .hint(format!("Try again in {seconds} s. Other addresses can still log in."))
                    .header(header::RETRY_AFTER, seconds.to_string())
            }
            Error::PasswordsBusy => Self::unavailable(Error::PasswordsBusy),
            Error::NotSealed => Self::new(ErrorCode::NotSealed, "The audit log is not sealed up to there yet.")
                .hint("Entries are sealed within 2 s, unless the server's log says why not. Try again in a moment.")
                .header(header::RETRY_AFTER, "1"),
            Error::NoReceipt(reason) => Self::new(ErrorCode::NoReceipt, format!("There is no receipt: {reason}.")),
            Error::UnknownUser => Self::invalid_field("user", "there is no such user, or you may not see them"),
            error @ (Error::SelectionChanged(_) | Error::IncidentMovedOn) => {
                Self::new(ErrorCode::SelectionChanged, error.to_string())
            }
            Error::IncidentDiffers => Self::new(ErrorCode::Conflict, "An incident with this id has other keys.")
                .hint("Send the digest of the incident's own dry run, or another incident_id."),
            Error::Store(error @ StoreError::Damaged { .. }) => internal(error),
            Error::Store(error @ StoreError::OutcomeUnknown(_)) => {
                Self::new(ErrorCode::OutcomeUnknown, "The database did not confirm the change; it may have been made.")
                    .hint("View the resource, or the audit log for this request_id, before you try again.")
                    .header(header::RETRY_AFTER, "1")
                    .cause(error)
            }
            Error::Store(error @ StoreError::StorageFull(_)) => {
                Self::new(ErrorCode::StorageFull, "The database's disk is full.")
                    .hint("Keys can still be expired. Free space on the server's disk for everything else.")
                    .header(header::RETRY_AFTER, "10")
                    .cause(error)
            }
            Error::Store(error) => Self::unavailable(error),
            error @ (Error::Random(_) | Error::Hash(_) | Error::ClockBehind { .. }) => internal(error),
        }
    }
}

fn forbidden(why: &'static str) -> Problem {
    Problem::new(ErrorCode::Forbidden, "You are not allowed to do this.").detail(why)
}

fn on_oneself(message: &'static str) -> Problem {
    Problem::new(ErrorCode::ValidationFailed, message)
}

fn user_taken(field: &str) -> Problem {
    let message = format!("A user with this {field} already exists.");
    Problem::new(ErrorCode::Conflict, message.clone()).validation(field, message)
}

fn invalid_lifetime(detail: String) -> Problem {
    validation(INVALID_TOKEN, "lifetime", detail)
}

fn validation(message: impl Into<Cow<'static, str>>, field: &str, detail: String) -> Problem {
    Problem::new(ErrorCode::ValidationFailed, message).validation(field, detail.clone()).detail(detail)
}

fn internal(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Problem {
    Problem::new(ErrorCode::Internal, "Internal server error.")
        .hint("Give the request id to the operator; the server's log has the cause.")
        .cause(error)
}
