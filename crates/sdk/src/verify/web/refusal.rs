//! The response to a request whose key is missing or not accepted: the status and header of RFC 6750,
//! §3, and a small JSON body like that of Keyward's own errors.

use std::fmt;
use std::sync::Arc;

use keyward_api::ErrorCode;
use serde_json::json;

use keyward_verdict::Need;

use super::super::denied::Denied;
use super::credential::CredentialError;

/// `Retry-After` in seconds, if no key could be verified.
const RETRY_AFTER: &str = "1";

/// The response to a request whose key is missing or not accepted.
///
/// With the feature `actix` a handler can return it as an error; with `tower`, `into_response` makes a
/// response of it. For the log, `source` has the reason.
#[derive(Clone, Debug)]
pub struct Refusal {
    code: ErrorCode,
    message: String,
    authenticate: Option<String>,
    cause: Option<Arc<Denied>>,
}

impl Refusal {
    /// The refusal of a key that the middleware accepted but that does not suffice, as found by
    /// [`Verified::require`](crate::verify::Verified::require).
    #[must_use]
    pub fn new(denied: Denied, need: &Need) -> Self {
        Self::of_denied(denied, need, super::REALM)
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.code.status()
    }

    /// The error code, for programs: one of Keyward's, such as `key_expired`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code.as_str()
    }

    /// The headers of the response.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let authenticate = self.authenticate.as_deref().map(|value| ("www-authenticate", value));
        let retry = (self.code == ErrorCode::Unavailable).then_some(("retry-after", RETRY_AFTER));
        [Some(("content-type", "application/json")), authenticate, retry].into_iter().flatten()
    }

    /// The body of the response, as JSON.
    #[must_use]
    pub fn body(&self) -> String {
        json!({ "message": self.message, "code": self.code.as_str() }).to_string()
    }

    pub(super) fn of_credential(error: CredentialError, realm: &str) -> Self {
        match error {
            // No `error` parameter: RFC 6750 omits it if the request had no credential.
            CredentialError::Missing => Self::plain(
                ErrorCode::Unauthenticated,
                "This request needs a key; send \"Authorization: Bearer <key>\".",
            )
            .challenge(realm, &[]),
            CredentialError::Malformed(why) => Self::plain(ErrorCode::BadRequest, why)
                .challenge(realm, &[("error", "invalid_request"), ("error_description", why)]),
        }
    }

    pub(super) fn of_denied(denied: Denied, need: &Need, realm: &str) -> Self {
        let words = denied.to_string();
        let invalid = |code| {
            let refusal = Self::plain(code, &words);
            refusal.challenge(realm, &[("error", "invalid_token"), ("error_description", &words)])
        };
        let refusal = match &denied {
            Denied::Invalid => invalid(ErrorCode::InvalidKey),
            Denied::Expired(_) => invalid(ErrorCode::KeyExpired),
            Denied::UserSuspended => invalid(ErrorCode::UserSuspended),
            Denied::Locked(_) => Self::plain(ErrorCode::Locked, &words),
            Denied::InsufficientScope(_) => {
                // All required scopes, not only the first missing one.
                let needed: Vec<String> = need.scopes().iter().map(ToString::to_string).collect();
                Self::plain(ErrorCode::InsufficientScope, &words)
                    .challenge(realm, &[("error", "insufficient_scope"), ("scope", &needed.join(" "))])
            }
            Denied::ResourceNotAllowed(_) => Self::plain(ErrorCode::ResourceNotAllowed, &words),
            Denied::UnreadableNeed(_) => Self::plain(ErrorCode::Internal, "The service requires an invalid scope."),
            // The client must not learn which server cannot be reached.
            Denied::Unavailable(_) => Self::plain(ErrorCode::Unavailable, "The key cannot be verified now; try again."),
        };
        Self { cause: Some(Arc::new(denied)), ..refusal }
    }

    /// A handler extracts the key, but its route has no middleware.
    #[cfg(feature = "actix")]
    pub(in super::super) fn unprotected() -> Self {
        Self::plain(ErrorCode::Internal, "The route needs a key, but no middleware verifies one.")
    }

    fn plain(code: ErrorCode, message: &str) -> Self {
        Self { code, message: message.to_owned(), authenticate: None, cause: None }
    }

    fn challenge(mut self, realm: &str, parameters: &[(&str, &str)]) -> Self {
        let mut value = format!("Bearer realm=\"{}\"", quotable(realm));
        for (name, text) in parameters {
            value.push_str(&format!(", {name}=\"{}\"", quotable(text)));
        }
        self.authenticate = Some(value);
        self
    }
}

/// Replaces characters that a quoted parameter may not contain. RFC 6750 allows printable ASCII except
/// `"` and `\`.
fn quotable(text: &str) -> String {
    let fit = |c: char| if (c.is_ascii_graphic() || c == ' ') && c != '\\' { c } else { '?' };
    text.chars().map(|c| if c == '"' { '\'' } else { fit(c) }).collect()
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|denied| denied as _)
    }
}

#[cfg(test)]
mod tests {
    use keyward_domain::Timestamp;

    use super::*;

    fn shown(refusal: &Refusal) -> (u16, &str, Option<&str>) {
        let header = refusal.headers().find(|(name, _)| *name == "www-authenticate").map(|(_, value)| value);
        (refusal.status(), refusal.code(), header)
    }

    #[test]
    fn each_refusal_is_answered_as_the_standard_says() {
        let need = Need::scope("workspace:read").and_scope("workspace:ssh").on("workspace:w1");
        let of = |denied| Refusal::of_denied(denied, &need, "orders");
        let expired = "Bearer realm=\"orders\", error=\"invalid_token\", error_description=\"API key expired at '1970-01-01T00:00:00Z'.\"";
        assert_eq!(shown(&of(Denied::Expired(Timestamp::EPOCH))), (401, "key_expired", Some(expired)));
        let scope = "Bearer realm=\"orders\", error=\"insufficient_scope\", scope=\"workspace:read workspace:ssh\"";
        assert_eq!(
            shown(&of(Denied::InsufficientScope("workspace:ssh".to_owned()))),
            (403, "insufficient_scope", Some(scope))
        );
        assert_eq!(shown(&of(Denied::ResourceNotAllowed("w".to_owned()))), (403, "resource_not_allowed", None));
        assert_eq!(shown(&of(Denied::UnreadableNeed("w".to_owned()))), (500, "internal", None));
        let missing = Refusal::of_credential(CredentialError::Missing, "orders");
        assert_eq!(shown(&missing), (401, "unauthenticated", Some("Bearer realm=\"orders\"")));
        let twice = Refusal::of_credential(CredentialError::Malformed("Twice."), "orders");
        let told = "Bearer realm=\"orders\", error=\"invalid_request\", error_description=\"Twice.\"";
        assert_eq!(shown(&twice), (400, "bad_request", Some(told)));
    }

    #[test]
    fn nothing_breaks_out_of_the_quotes_and_the_body_is_json() {
        let refusal = Refusal::of_credential(CredentialError::Missing, "a\"b\\c\r\nX: y ä");
        assert_eq!(shown(&refusal).2, Some("Bearer realm=\"a'b?c??X: y ?\""));
        let outside = Refusal::new(Denied::ResourceNotAllowed("a\"b".to_owned()), &Need::nothing());
        let body: serde_json::Value = serde_json::from_str(&outside.body()).unwrap();
        assert_eq!(body["message"], "The API key's allow list does not cover \"a\"b\".");
    }

    #[test]
    fn who_cannot_be_judged_is_asked_to_come_again_and_told_nothing_more() {
        let error = crate::error::InvalidInput::PathValue("http://10.0.0.1".to_owned()).into();
        let refusal = Refusal::new(Denied::Unavailable(Box::new(error)), &Need::nothing());
        assert!(refusal.headers().any(|header| header == ("retry-after", "1")));
        assert_eq!(refusal.status(), 503);
        assert!(!refusal.body().contains("10.0.0.1"));
        assert!(std::error::Error::source(&refusal).unwrap().to_string().contains("10.0.0.1"));
    }
}
