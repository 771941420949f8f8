//! Limits wrong passwords: by account and address together, and by address alone. Another address is not
//! shut out, so nobody can lock an account from outside.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use keyward_domain::{Lifetime, Timestamp, UserId};

/// Wrong passwords within [`WINDOW`] for one account from one address, after which logins are refused.
const MOST_PER_ACCOUNT: usize = 10;

/// Wrong passwords within [`WINDOW`] from one address, after which logins are refused.
const MOST_PER_ADDRESS: usize = 50;

const WINDOW: Lifetime = Lifetime::minutes(10);

/// How long the first refusal lasts. Each wrong password after it doubles the time.
const FIRST_REFUSAL: Lifetime = Lifetime::seconds(30);
const LONGEST_REFUSAL: Lifetime = Lifetime::minutes(15);

/// Maximum number of entries of each kind. Beyond it, all further addresses share one entry.
const MOST_ENTRIES: usize = 10_000;

/// The account that a login names: a user, or a name in lower case that no user has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Account {
    User(UserId),
    Nobody(String),
}

/// Wrong passwords by account and address.
#[derive(Debug, Default)]
pub(crate) struct LoginThrottle {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    accounts: HashMap<Option<(IpAddr, Account)>, Attempts>,
    addresses: HashMap<Option<IpAddr>, Attempts>,
}

/// Wrong passwords of one account or address.
#[derive(Debug, Default)]
struct Attempts {
    /// Times of the last ones, oldest first.
    failures: VecDeque<Timestamp>,
    refused: Option<Refusal>,
}

#[derive(Clone, Copy, Debug)]
struct Refusal {
    until: Timestamp,
    lasts: Lifetime,
}

impl LoginThrottle {
    /// How long a login must wait; none if it may be tried.
    pub(crate) fn wait(&self, address: Option<IpAddr>, account: &Account, now: Timestamp) -> Option<Lifetime> {
        let address = address.map(network);
        let state = self.state();
        let by_account = state.accounts.get(&address.map(|address| (address, account.clone())));
        let waits = [by_account, state.addresses.get(&address)];
        waits.into_iter().flatten().filter_map(|attempts| attempts.wait(now)).max()
    }

    /// Counts a wrong password. Returns until when logins are refused, if this is where that begins.
    pub(crate) fn add(&self, address: Option<IpAddr>, account: &Account, now: Timestamp) -> Option<Timestamp> {
        let address = address.map(network);
        let mut state = self.state();
        let by_account = entry(&mut state.accounts, address.map(|address| (address, account.clone())), now);
        let account_refused = by_account.add(now, MOST_PER_ACCOUNT);
        let address_refused = entry(&mut state.addresses, address, now).add(now, MOST_PER_ADDRESS);
        account_refused.max(address_refused)
    }

    /// Forgets the wrong passwords of an account after the right one. Those of the address stay: they may
    /// be of other accounts.
    pub(crate) fn clear(&self, address: Option<IpAddr>, account: &Account) {
        self.state().accounts.remove(&address.map(|address| (network(address), account.clone())));
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // No code panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn entry<K: Eq + Hash>(map: &mut HashMap<Option<K>, Attempts>, key: Option<K>, now: Timestamp) -> &mut Attempts {
    if map.len() >= MOST_ENTRIES && !map.contains_key(&key) {
        map.retain(|_, attempts| attempts.matter(now));
        if map.len() >= MOST_ENTRIES {
            return map.entry(None).or_default();
        }
    }
    map.entry(key).or_default()
}

impl Attempts {
    fn wait(&self, now: Timestamp) -> Option<Lifetime> {
        let wait = self.refused?.until.since(now);
        // A longer one is from before the clock was set back.
        (!wait.is_zero() && wait <= LONGEST_REFUSAL).then_some(wait)
    }

    fn matter(&self, now: Timestamp) -> bool {
        self.wait(now).is_some() || self.failures.back().is_some_and(|last| now.since(*last) < WINDOW)
    }

    fn add(&mut self, now: Timestamp, most: usize) -> Option<Timestamp> {
        self.failures.retain(|at| now.since(*at) < WINDOW);
        if self.failures.is_empty() {
            self.refused = None;
        }
        self.failures.push_back(now);
        if self.failures.len() > most {
            self.failures.pop_front();
        }
        if self.failures.len() < most {
            return None;
        }
        let before = self.refused;
        let lasts = before.map_or(FIRST_REFUSAL, |refusal| refusal.lasts.saturating_add(refusal.lasts));
        let lasts = lasts.min(LONGEST_REFUSAL);
        let until = now.checked_add(lasts).unwrap_or(Timestamp::MAX);
        self.refused = Some(Refusal { until, lasts });
        before.is_none().then_some(until)
    }
}

/// The address under which the requests of a client are counted. All IPv6 addresses of a /64 are one,
/// because one household usually has the whole /64.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const AWAY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_micros(secs * 1_000_000).unwrap()
    }

    fn somebody(name: &str) -> Account {
        Account::Nobody(name.to_owned())
    }

    #[test]
    fn ten_wrong_passwords_shut_out_one_address_from_one_account_twice_as_long_each_time() {
        let throttle = LoginThrottle::default();
        let alice = somebody("alice");
        for second in 0..9 {
            assert_eq!(throttle.add(Some(HOME), &alice, at(second)), None);
            assert_eq!(throttle.wait(Some(HOME), &alice, at(second)), None);
        }
        assert_eq!(throttle.add(Some(HOME), &alice, at(9)), Some(at(39)));
        assert_eq!(throttle.wait(Some(HOME), &alice, at(9)), Some(Lifetime::seconds(30)));
        assert_eq!(throttle.wait(Some(AWAY), &alice, at(9)), None);
        assert_eq!(throttle.wait(Some(HOME), &somebody("bob"), at(9)), None);
        assert_eq!(throttle.wait(Some(HOME), &alice, at(39)), None);
        let mut now = 39;
        for lasts in [60, 120, 240, 480, 900, 900] {
            assert_eq!(throttle.add(Some(HOME), &alice, at(now)), None, "it has begun already");
            assert_eq!(throttle.wait(Some(HOME), &alice, at(now)), Some(Lifetime::from_secs(lasts).unwrap()));
            now += 60;
        }
        throttle.clear(Some(HOME), &alice);
        assert_eq!(throttle.wait(Some(HOME), &alice, at(now)), None);
    }

    #[test]
    fn fifty_wrong_passwords_shut_out_an_address_and_time_forgives() {
        let throttle = LoginThrottle::default();
        let began = (0..50).filter_map(|n| throttle.add(Some(HOME), &somebody(&n.to_string()), at(n))).count();
        assert_eq!(began, 1);
        assert!(throttle.wait(Some(HOME), &somebody("alice"), at(50)).is_some());
        assert_eq!(throttle.wait(Some(AWAY), &somebody("alice"), at(50)), None);
        assert_eq!(throttle.add(Some(HOME), &somebody("alice"), at(2_000)), None);
        assert_eq!(throttle.wait(Some(HOME), &somebody("alice"), at(2_000)), None);
    }

    #[test]
    fn the_addresses_of_a_household_count_as_one_and_the_table_is_bounded() {
        let throttle = LoginThrottle::default();
        let alice = somebody("alice");
        for last in 0..10 {
            throttle.add(format!("2001:db8::{last}").parse().ok(), &alice, at(0));
        }
        assert!(throttle.wait("2001:db8::ffff".parse().ok(), &alice, at(0)).is_some());
        for n in 0..30_000_u32 {
            throttle.add(Some(IpAddr::V4(n.into())), &alice, at(0));
        }
        assert!(throttle.state().addresses.len() <= MOST_ENTRIES + 1);
        assert!(throttle.state().accounts.len() <= MOST_ENTRIES + 1);
    }
}
