//! Decides whether to retry a request and how long to wait before.

use std::time::Duration;

use keyward_api::Method;

use crate::error::Error;

/// Bound of the first random delay. Each further bound is twice as large, up to [`MAX_DELAY`].
const FIRST_DELAY: Duration = Duration::from_millis(100);
const MAX_DELAY: Duration = Duration::from_secs(5);

/// Longest `Retry-After` that is respected.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(10);

/// How long to wait before a retry; `None` if a retry would not help.
pub(crate) fn pause(error: &Error, attempt: u32) -> Option<Duration> {
    let asked = match error {
        Error::Transport(fault) if fault.is_too_long() => return None,
        Error::Transport(_) => Duration::ZERO,
        Error::Api(answer) if matches!(answer.status, 429 | 503) => answer.retry_after.unwrap_or_default(),
        Error::Api(_) | Error::Decode { .. } | Error::InvalidInput(_) | Error::Setup(_) => return None,
    };
    Some(asked.min(MAX_RETRY_AFTER) + jitter(attempt))
}

/// The error to return when all attempts have failed.
///
/// If the response to a change was lost, the change may have been applied, and the retry fails for that
/// reason: a deleted key is not found, and a caller who expired their own key is signed out. So the
/// lost response is returned instead.
pub(crate) fn final_error(method: Method, lost: Option<Error>, last: Error) -> Error {
    match method {
        Method::Get => last,
        Method::Post | Method::Put | Method::Delete => lost.unwrap_or(last),
    }
}

/// Whether the server may have applied the request although no response arrived.
pub(crate) fn may_have_been_applied(error: &Error) -> bool {
    match error {
        Error::Transport(fault) => !fault.is_connect(),
        Error::Api(_) | Error::Decode { .. } | Error::InvalidInput(_) | Error::Setup(_) => false,
    }
}

/// "Full jitter": a random delay between 0 and a bound that doubles, so that clients which failed at
/// the same time do not retry at the same time.
fn jitter(attempt: u32) -> Duration {
    let bound = FIRST_DELAY.saturating_mul(2_u32.saturating_pow(attempt)).min(MAX_DELAY);
    // If there is no randomness, the bound itself is still a valid delay.
    getrandom::u32().map_or(bound, |drawn| bound.mul_f64(f64::from(drawn) / f64::from(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ApiError;

    fn answer(status: u16, retry_after: Option<u64>) -> Error {
        Error::Api(ApiError {
            status,
            code: String::new(),
            message: String::new(),
            detail: None,
            hint: None,
            validations: Vec::new(),
            request_id: String::new(),
            retry_after: retry_after.map(Duration::from_secs),
        })
    }

    #[test]
    fn only_busy_and_unavailable_are_worth_another_try() {
        for status in [400, 401, 403, 404, 409, 500, 502] {
            assert_eq!(pause(&answer(status, None), 0), None, "{status}");
        }
        assert!(pause(&answer(429, None), 0).unwrap() <= FIRST_DELAY);
        assert!(pause(&answer(503, None), 40).unwrap() <= MAX_DELAY);
    }

    #[test]
    fn what_the_server_asks_is_the_least_and_is_bounded() {
        let asked = pause(&answer(503, Some(2)), 0).unwrap();
        assert!((Duration::from_secs(2)..=Duration::from_secs(2) + FIRST_DELAY).contains(&asked), "{asked:?}");
        assert!(pause(&answer(503, Some(86_400)), 0).unwrap() <= MAX_RETRY_AFTER + FIRST_DELAY);
    }

    #[test]
    fn a_lost_answer_to_a_change_is_told_rather_than_what_came_after() {
        let lost = || Some(answer(599, None));
        assert_eq!(final_error(Method::Delete, lost(), answer(404, None)).status(), Some(599));
        assert_eq!(final_error(Method::Get, lost(), answer(404, None)).status(), Some(404));
        assert_eq!(final_error(Method::Delete, None, answer(404, None)).status(), Some(404));
    }
}
