//! A rate limit by client address.

use std::net::IpAddr;
use std::num::NonZeroU32;

use actix_web::http::header;
use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use keyward_api::ErrorCode;
use keyward_service::network;

use crate::http::Problem;

/// Maximum number of requests per address in a minute, and at once. They are replenished one by one.
const MOST: NonZeroU32 = NonZeroU32::MIN.saturating_add(59);

/// Maximum number of addresses with a count of their own. All others share one count.
const MOST_ADDRESSES: usize = 10_000;

/// Counts requests by [`network`].
#[derive(Debug)]
pub(crate) struct RateLimit {
    limiter: RateLimiter<Option<IpAddr>, HashMapStateStore<Option<IpAddr>>, DefaultClock>,
    clock: DefaultClock,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self { limiter: RateLimiter::hashmap(Quota::per_minute(MOST)), clock: DefaultClock::default() }
    }
}

impl RateLimit {
    /// Admits a request, or returns a 429 that says when to retry.
    pub fn admit(&self, address: Option<IpAddr>) -> Result<(), Problem> {
        let mut address = address.map(network);
        if self.limiter.len() >= MOST_ADDRESSES {
            // Drops the addresses whose requests are all replenished.
            self.limiter.retain_recent();
            if self.limiter.len() >= MOST_ADDRESSES {
                address = None;
            }
        }
        let Err(early) = self.limiter.check_key(&address) else { return Ok(()) };
        let left = early.wait_time_from(self.clock.now()).as_secs() + 1;
        Err(Problem::new(
            ErrorCode::TooManyRequests,
            format!("The server accepts at most {MOST} requests per minute from one address."),
        )
        .hint(format!("Try again in {left} s."))
        .header(header::RETRY_AFTER, left.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_stopped_after_its_share_and_others_are_not() {
        let limit = RateLimit::default();
        let one: IpAddr = "2001:db8::1".parse().unwrap();
        let same_household: IpAddr = "2001:db8::2".parse().unwrap();
        for _ in 0..MOST.get() {
            assert!(limit.admit(Some(one)).is_ok());
        }
        assert!(limit.admit(Some(same_household)).is_err());
        assert!(limit.admit("2001:db8:0:1::1".parse().ok()).is_ok());
        assert!(limit.admit(None).is_ok());
    }
}
