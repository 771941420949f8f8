//! When a request is sent again, and after what pause.

use std::time::Duration;

use keyward_api::Method;

use crate::error::Error;

/// What the first pause is drawn from; each further one from twice as much, up to [`CEILING`].
const FIRST: Duration = Duration::from_millis(100);
const CEILING: Duration = Duration::from_secs(5);

/// The longest that a server can make a call wait.
const LONGEST_ASKED: Duration = Duration::from_secs(10);

/// How long to wait before the request is sent again; none if that would not help.
pub(crate) fn pause(error: &Error, attempt: u32) -> Option<Duration> {
    let asked = match error {
        Error::Transport(fault) if fault.is_too_long() => return None,
        Error::Transport(_) => Duration::ZERO,
        Error::Api(answer) if matches!(answer.status, 429 | 503) => answer.retry_after.unwrap_or_default(),
        Error::Api(_) | Error::Decode { .. } | Error::InvalidInput(_) | Error::Setup(_) => return None,
    };
    Some(asked.min(LONGEST_ASKED) + jitter(attempt))
}

/// The error to hand back when a request that was sent more than once has failed in the end.
///
/// A change whose answer was lost may have been made. A repetition then fails for that very reason
/// (what was deleted is not found, who expired their own key is signed out), so the loss is told.
pub(crate) fn verdict(method: Method, lost: Option<Error>, last: Error) -> Error {
    match method {
        Method::Get => last,
        Method::Post | Method::Put | Method::Delete => lost.unwrap_or(last),
    }
}

/// May the request have been carried out, though no answer came?
pub(crate) fn may_have_acted(error: &Error) -> bool {
    match error {
        Error::Transport(fault) => !fault.is_connect(),
        Error::Api(_) | Error::Decode { .. } | Error::InvalidInput(_) | Error::Setup(_) => false,
    }
}

/// "Full jitter": anything from nothing to a bound that doubles, so that clients which failed
/// together do not come back together.
fn jitter(attempt: u32) -> Duration {
    let bound = FIRST.saturating_mul(2_u32.saturating_pow(attempt)).min(CEILING);
    // Without randomness the whole of it is still a correct pause.
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
        assert!(pause(&answer(429, None), 0).unwrap() <= FIRST);
        assert!(pause(&answer(503, None), 40).unwrap() <= CEILING);
    }

    #[test]
    fn what_the_server_asks_is_the_least_and_is_bounded() {
        let asked = pause(&answer(503, Some(2)), 0).unwrap();
        assert!((Duration::from_secs(2)..=Duration::from_secs(2) + FIRST).contains(&asked), "{asked:?}");
        assert!(pause(&answer(503, Some(86_400)), 0).unwrap() <= LONGEST_ASKED + FIRST);
    }

    #[test]
    fn a_lost_answer_to_a_change_is_told_rather_than_what_came_after() {
        let lost = || Some(answer(599, None));
        assert_eq!(verdict(Method::Delete, lost(), answer(404, None)).status(), Some(599));
        assert_eq!(verdict(Method::Get, lost(), answer(404, None)).status(), Some(404));
        assert_eq!(verdict(Method::Delete, None, answer(404, None)).status(), Some(404));
    }
}
