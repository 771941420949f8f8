//! Errors on the wire: one JSON shape for all, and the table of codes.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The body of every error.
// `Cow`, because the server borrows the texts and a client owns them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct ErrorBody<'a> {
    /// What went wrong, as text for people.
    pub message: Cow<'a, str>,
    /// More detail, as text for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Cow<'a, str>>,
    /// The fields of the request that were invalid.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub validations: Cow<'a, [Validation]>,
    /// What went wrong, as a stable code in snake_case for programs.
    #[serde(default)]
    pub code: Cow<'a, str>,
    /// The next step for the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<Cow<'a, str>>,
    /// The request's id; also in the header `Keyward-Request-Id`.
    #[serde(default)]
    pub request_id: Cow<'a, str>,
}

/// A field of the request that was invalid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Validation {
    /// The field's name.
    pub field: String,
    /// What is wrong with it.
    pub detail: String,
}

impl Validation {
    /// Describes an invalid field.
    #[must_use]
    pub fn new(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { field: field.into(), detail: detail.into() }
    }
}

/// Generates the enum, its codes, statuses and meanings from one table.
macro_rules! error_codes {
    ($($(#[doc = $meaning:literal])+ $variant:ident $code:literal $status:literal;)*) => {
        /// An error code. Each has a text on the wire and an HTTP status.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[doc = $meaning])+ $variant,)*
        }

        impl ErrorCode {
            /// All codes.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The code's text on the wire.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code),* }
            }

            /// The HTTP status of a response with this code.
            #[must_use]
            pub fn status(self) -> u16 {
                match self { $(Self::$variant => $status),* }
            }

            /// One sentence that says what the code means.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($meaning),+)),* }
            }
        }
    };
}

error_codes! {
    /// The request is malformed: its headers, query or body cannot be parsed.
    BadRequest "bad_request" 400;
    /// A field of the request has an invalid value.
    ValidationFailed "validation_failed" 400;
    /// The password is one of the most common ones.
    PasswordTooCommon "password_too_common" 400;
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
    /// The e-mail address or the password is wrong.
    IncorrectCredentials "incorrect_credentials" 401;
    /// The key lacks the scope that the endpoint requires.
    InsufficientScope "insufficient_scope" 403;
    /// The key's allow list does not cover the resource.
    ResourceNotAllowed "resource_not_allowed" 403;
    /// A lock refuses the key.
    Locked "locked" 403;
    /// The new key would have more rights than the caller's key.
    ScopeExceedsCaller "scope_exceeds_caller" 403;
    /// The caller may see the resource but not do this to it.
    Forbidden "forbidden" 403;
    /// Creating the first user from another machine needs the setup code, which is missing or wrong.
    SetupCodeRequired "setup_code_required" 403;
    /// The resource does not exist, or the caller may not see it.
    NotFound "not_found" 404;
    /// No route matches the path.
    RouteNotFound "route_not_found" 404;
    /// No user has been created yet.
    NoFirstUser "no_first_user" 404;
    /// The route does not support this method.
    MethodNotAllowed "method_not_allowed" 405;
    /// The request did not arrive in time.
    RequestTimeout "request_timeout" 408;
    /// A name or an e-mail address is taken, or the current state does not allow the change.
    Conflict "conflict" 409;
    /// The selector matches other keys than those of the dry run.
    SelectionChanged "selection_changed" 409;
    /// There is no receipt for the key or incident: it was not ended by hand, or has not ended.
    NoReceipt "no_receipt" 409;
    /// The body is longer than the endpoint accepts.
    PayloadTooLarge "payload_too_large" 413;
    /// The body does not have the media type that the endpoint requires.
    UnsupportedMediaType "unsupported_media_type" 415;
    /// The client sent too many requests of this kind.
    TooManyRequests "too_many_requests" 429;
    /// Too many wrong passwords came from this address.
    TooManyAttempts "too_many_attempts" 429;
    /// Internal server error.
    Internal "internal" 500;
    /// The server is temporarily unavailable: the database is out of reach, or the server is overloaded.
    Unavailable "unavailable" 503;
    /// The audit entry is not in the audit tree yet, or the log has no checkpoint yet.
    NotSealed "not_sealed" 503;
    /// The database did not confirm a change in time: it may have been made or not.
    OutcomeUnknown "outcome_unknown" 503;
    /// The database's disk is full: reads, verification and expires work, and nothing else is written.
    StorageFull "storage_full" 503;
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
