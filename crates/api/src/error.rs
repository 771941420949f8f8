//! Errors on the wire: one shape, and the catalogue of codes.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The body of every error.
// Whoever writes it borrows its texts, whoever reads it owns them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[non_exhaustive]
pub struct ErrorBody<'a> {
    /// What went wrong, for people.
    pub message: Cow<'a, str>,
    /// More about it, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Cow<'a, str>>,
    /// Which fields of the request were wrong.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub validations: Cow<'a, [Validation]>,
    /// What went wrong, for programs: snake_case, stable.
    #[serde(default)]
    pub code: Cow<'a, str>,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<Cow<'a, str>>,
    /// The request's id; also in the header `Keyward-Request-Id`.
    #[serde(default)]
    pub request_id: Cow<'a, str>,
}

/// A field of the request that was wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[non_exhaustive]
pub struct Validation {
    /// The field's name.
    pub field: String,
    /// What is wrong with it.
    pub detail: String,
}

impl Validation {
    /// Says of a field what is wrong with it.
    #[must_use]
    pub fn new(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { field: field.into(), detail: detail.into() }
    }
}

/// Makes the enum, its words, statuses and meanings from one table.
macro_rules! error_codes {
    ($($(#[doc = $meaning:literal])+ $variant:ident $code:literal $status:literal;)*) => {
        /// What can go wrong: each with its word on the wire and its HTTP status.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[doc = $meaning])+ $variant,)*
        }

        impl ErrorCode {
            /// Every code there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word on the wire.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code),* }
            }

            /// The HTTP status it comes with.
            #[must_use]
            pub fn status(self) -> u16 {
                match self { $(Self::$variant => $status),* }
            }

            /// What it means, in a sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($meaning),+)),* }
            }
        }
    };
}

error_codes! {
    /// The request cannot be understood: headers, query or JSON.
    BadRequest "bad_request" 400;
    /// A field of the request has a value that is not allowed.
    ValidationFailed "validation_failed" 400;
    /// A scope is not in the catalogue.
    InvalidScope "invalid_scope" 400;
    /// No credential was sent.
    Unauthenticated "unauthenticated" 401;
    /// The credential is malformed, unknown or wrong.
    InvalidKey "invalid_key" 401;
    /// The key has expired.
    KeyExpired "key_expired" 401;
    /// The user is suspended.
    UserSuspended "user_suspended" 401;
    /// E-mail or password is wrong.
    IncorrectCredentials "incorrect_credentials" 401;
    /// The key lacks the scope that the endpoint needs.
    InsufficientScope "insufficient_scope" 403;
    /// The key's allow list does not cover the thing.
    ResourceNotAllowed "resource_not_allowed" 403;
    /// The new key would be able to do more than the calling one.
    ScopeExceedsCaller "scope_exceeds_caller" 403;
    /// The thing may be seen, and this may not be done to it.
    Forbidden "forbidden" 403;
    /// The first user is created from elsewhere, and the setup code is missing or wrong.
    SetupCodeRequired "setup_code_required" 403;
    /// There is no such thing, or it is not to be seen.
    NotFound "not_found" 404;
    /// There is no such route.
    RouteNotFound "route_not_found" 404;
    /// No user has been created yet.
    NoFirstUser "no_first_user" 404;
    /// The route has no such method.
    MethodNotAllowed "method_not_allowed" 405;
    /// The request did not arrive in time.
    RequestTimeout "request_timeout" 408;
    /// A name or address is taken, or the state does not allow it.
    Conflict "conflict" 409;
    /// The body is longer than the endpoint takes.
    PayloadTooLarge "payload_too_large" 413;
    /// The body is not `application/json`.
    UnsupportedMediaType "unsupported_media_type" 415;
    /// Too many requests of this kind.
    TooManyRequests "too_many_requests" 429;
    /// A fault of the server's.
    Internal "internal" 500;
    /// The server cannot answer now: the database is out of reach, or too much is under way.
    Unavailable "unavailable" 503;
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_snake_case_errors() {
        let mut words: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), ErrorCode::ALL.len());
        for code in ErrorCode::ALL {
            assert!(code.as_str().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{code}");
            assert!((400..600).contains(&code.status()), "{code}");
        }
    }
}
