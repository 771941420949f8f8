//! Keeping the lease: polling, and what to do when a poll fails.

use std::sync::Weak;
use std::time::Duration;

use keyward_api::verifiers::{PollRequest, PollResponse, PollVerifier};
use keyward_domain::Moment;

use super::verifier::Shared;
use crate::call::Call;
use crate::error::Error;

/// How long to wait after the first poll that failed; after each further one twice as long, up to
/// [`LONGEST_PAUSE`]. Short, since until there is a lease again every key costs a request.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// How long to wait at most, and where there is no lease to be had.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// How long the first poll may take, before it is known how long a lease is.
const FIRST_TIMEOUT: Duration = Duration::from_secs(5);

/// How long every poll may take, however short the lease.
const LEAST_TIMEOUT: Duration = Duration::from_secs(1);

/// How the polls went so far.
#[derive(Debug, Default)]
struct Course {
    /// Failures since the last answer.
    failures: u32,
    /// The lease that was last given; zero if none was.
    lease: Duration,
}

impl Course {
    /// After a lease an answer renews nothing: it is counted from when the request was sent. So a
    /// connection that has gone silent, as when packets are dropped on the way, is given up then.
    fn timeout(&self) -> Duration {
        if self.lease.is_zero() { FIRST_TIMEOUT } else { self.lease.max(LEAST_TIMEOUT) }
    }

    /// How long to wait before the next poll.
    fn pause(&self) -> Duration {
        match self.failures.checked_sub(1) {
            Some(before) => FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(before)).min(LONGEST_PAUSE),
            None if self.lease.is_zero() => LONGEST_PAUSE,
            // The server holds the next poll until there is something to tell, or time to renew.
            None => Duration::ZERO,
        }
    }
}

/// Polls until the verifier is gone.
pub(super) async fn keep(shared: Weak<Shared>) {
    let mut course = Course::default();
    while let Some(shared) = shared.upgrade() {
        let sent = Moment::now();
        match poll(&shared, course.timeout()).await {
            Ok(news) => {
                let forgotten = shared.memory.apply(&news, sent);
                if !forgotten.is_empty() {
                    // A million keys are not freed between two polls. Nobody waits for it.
                    drop(tokio::task::spawn_blocking(move || drop(forgotten)));
                }
                course = Course { failures: 0, lease: Duration::from_millis(news.lease_ms) };
                shared.answered(true);
            }
            // The lease runs out by itself; until then what is remembered is right.
            Err(_) => {
                course.failures = course.failures.saturating_add(1);
                shared.answered(false);
            }
        }
        drop(shared);
        let pause = course.pause();
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
}

async fn poll(shared: &Shared, timeout: Duration) -> Result<PollResponse, Error> {
    let applied = shared.memory.applied();
    let request = PollRequest {
        id: shared.id,
        name: shared.name.clone(),
        start: applied.map(|last| last.source),
        acknowledged: applied.map_or(0, |last| last.change),
    };
    let call = Call::<PollVerifier>::new(&[])?.body(&request)?.timeout(timeout);
    Ok(shared.client.call(call).await?.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_from_short_to_half_a_second_and_there_is_none_after_a_lease() {
        let second = Duration::from_secs(1);
        let after = |failures| Course { failures, lease: second }.pause().as_millis();
        assert_eq!([0, 1, 2, 3, 6, 40].map(after), [0, 20, 40, 80, 500, 500]);
        assert_eq!(Course::default().pause(), LONGEST_PAUSE, "without a lease it is asked again calmly");
    }

    #[test]
    fn a_poll_is_given_up_when_its_answer_could_renew_nothing() {
        let of = |millis| Course { failures: 3, lease: Duration::from_millis(millis) }.timeout().as_millis();
        assert_eq!([0, 10, 1_000, 3_000].map(of), [5_000, 1_000, 1_000, 3_000]);
    }
}
