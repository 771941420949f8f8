//! A rate limit by client address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::http::header;
use keyward_api::ErrorCode;

use crate::http::Problem;

/// The time window in which requests are counted.
const WINDOW: Duration = Duration::from_secs(60);

/// Maximum number of requests per address in a window.
const MOST: u32 = 60;

/// Maximum number of addresses with a count of their own. All others share one count.
const MOST_ADDRESSES: usize = 10_000;

/// Counts requests by address. All IPv6 addresses of a /64 share a count, because one household
/// usually has the whole /64.
#[derive(Debug, Default)]
pub(crate) struct RateLimit {
    windows: Mutex<HashMap<Option<IpAddr>, (Instant, u32)>>,
}

impl RateLimit {
    /// Admits a request, or returns a 429 that says when to retry.
    pub fn admit(&self, address: Option<IpAddr>) -> Result<(), Problem> {
        let now = Instant::now();
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let mut address = address.map(household);
        if windows.len() >= MOST_ADDRESSES && !windows.contains_key(&address) {
            windows.retain(|_, (began, _)| now.duration_since(*began) < WINDOW);
            if windows.len() >= MOST_ADDRESSES {
                address = None;
            }
        }
        let (began, count) = windows.entry(address).or_insert((now, 0));
        if now.duration_since(*began) >= WINDOW {
            (*began, *count) = (now, 0);
        }
        *count += 1;
        if *count <= MOST {
            return Ok(());
        }
        let left = WINDOW.saturating_sub(now.duration_since(*began)).as_secs() + 1;
        Err(Problem::new(
            ErrorCode::TooManyRequests,
            format!("The server accepts at most {MOST} requests per minute from one address."),
        )
        .hint(format!("Try again in {left} s."))
        .header(header::RETRY_AFTER, left.to_string()))
    }
}

fn household(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
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
        for _ in 0..MOST {
            assert!(limit.admit(Some(one)).is_ok());
        }
        assert!(limit.admit(Some(same_household)).is_err());
        assert!(limit.admit("2001:db8:0:1::1".parse().ok()).is_ok());
        assert!(limit.admit(None).is_ok());
    }
}
