//! Polls the server to keep the lease.

use std::sync::Weak;
use std::time::Duration;

use keyward_api::verifiers::{PollRequest, PollResponse, PollVerifier, ReportedUse};
use keyward_domain::Moment;

use super::verifier::Shared;
use crate::call::Call;
use crate::error::Error;

/// Delay after the first failed poll. It doubles with each further failure, up to [`MAX_DELAY`]. It is
/// short because without a lease every key costs a request.
const FIRST_DELAY: Duration = Duration::from_millis(20);

/// Longest delay between polls, and the delay if the server gives no lease.
const MAX_DELAY: Duration = Duration::from_millis(500);

/// Timeout of the first poll, when the lease duration is not known yet.
const FIRST_TIMEOUT: Duration = Duration::from_secs(5);

/// Shortest timeout of a poll, however short the lease is.
const MIN_TIMEOUT: Duration = Duration::from_secs(1);

/// The state of polling.
#[derive(Debug, Default)]
struct PollState {
    /// Failed polls since the last answered one.
    failures: u32,
    /// Duration of the last lease; zero if there was none.
    lease: Duration,
}

impl PollState {
    /// The timeout of the next poll. An answer that takes longer than the lease duration renews
    /// nothing, because the lease is counted from when the poll was sent. The timeout also ends
    /// connections that drop packets silently.
    fn timeout(&self) -> Duration {
        if self.lease.is_zero() { FIRST_TIMEOUT } else { self.lease.max(MIN_TIMEOUT) }
    }

    /// The delay before the next poll.
    fn delay(&self) -> Duration {
        match self.failures.checked_sub(1) {
            Some(before) => FIRST_DELAY.saturating_mul(2_u32.saturating_pow(before)).min(MAX_DELAY),
            None if self.lease.is_zero() => MAX_DELAY,
            // The server holds the next poll until there is a change or the lease must be renewed.
            None => Duration::ZERO,
        }
    }
}

/// Polls until the verifier is dropped.
pub(super) async fn keep(shared: Weak<Shared>) {
    let mut state = PollState::default();
    while let Some(shared) = shared.upgrade() {
        let sent = Moment::now();
        let uses = shared.uses.take(sent);
        match poll(&shared, uses.show(sent), state.timeout()).await {
            Ok(news) => {
                let forgotten = shared.memory.apply(&news, sent);
                if !forgotten.is_empty() {
                    // Freeing a million keys takes longer than a poll may be delayed, so another thread
                    // does it.
                    drop(tokio::task::spawn_blocking(move || drop(forgotten)));
                }
                state = PollState { failures: 0, lease: Duration::from_millis(news.lease_ms) };
                shared.set_connected(true);
            }
            // The lease runs out by itself. Until then the cache is valid.
            Err(_) => {
                shared.uses.put_back(uses);
                state.failures = state.failures.saturating_add(1);
                shared.set_connected(false);
            }
        }
        drop(shared);
        let delay = state.delay();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
    }
}

async fn poll(shared: &Shared, uses: Vec<ReportedUse>, timeout: Duration) -> Result<PollResponse, Error> {
    let applied = shared.memory.applied();
    let request = PollRequest {
        id: shared.id,
        name: shared.name.clone(),
        start: applied.map(|last| last.source),
        acknowledged: applied.map_or(0, |last| last.change),
        uses,
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
        let after = |failures| PollState { failures, lease: second }.delay().as_millis();
        assert_eq!([0, 1, 2, 3, 6, 40].map(after), [0, 20, 40, 80, 500, 500]);
        assert_eq!(
            PollState::default().delay(),
            MAX_DELAY,
            "without a lease the next poll waits for the longest delay"
        );
    }

    #[test]
    fn a_poll_is_given_up_when_its_answer_could_renew_nothing() {
        let of = |millis| PollState { failures: 3, lease: Duration::from_millis(millis) }.timeout().as_millis();
        assert_eq!([0, 10, 1_000, 3_000].map(of), [5_000, 1_000, 1_000, 3_000]);
    }
}
