//! Failed logins. At most one audit entry a minute is written for each address and name.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use keyward_domain::event::{Event, LoginFailure, Origin, RequestInfo};
use keyward_domain::{Lifetime, Timestamp, User};
use keyward_storage::{Lane, StoreError, Tx};

use crate::Service;

/// Minimum time between two entries for one address and name.
const INTERVAL: Lifetime = Lifetime::minutes(1);

/// Maximum number of pairs of address and name. Beyond it, all further pairs are counted as one.
const MOST_PAIRS: usize = 10_000;

/// The client's address, and the name in lower case.
type Pair = (Option<IpAddr>, String);

/// Failed logins by address and name.
#[derive(Debug, Default)]
pub(crate) struct FailedLogins {
    pairs: Mutex<HashMap<Pair, Failures>>,
    /// Refusals that have begun and have no entry yet.
    refusals: Mutex<Vec<(Origin, Event)>>,
}

#[derive(Debug)]
struct Failures {
    /// Failures since the last entry.
    count: u64,
    last: Timestamp,
    /// When the last entry was made.
    reported: Option<Timestamp>,
    request: RequestInfo,
    user: Option<User>,
    reason: LoginFailure,
}

impl FailedLogins {
    /// Counts a failed login. `user` is the user with this name, if there is one.
    pub(crate) fn add(
        &self,
        name: &str,
        user: Option<User>,
        reason: LoginFailure,
        request: &RequestInfo,
        now: Timestamp,
    ) {
        let mut pairs = self.pairs.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pair = (request.ip, name.to_lowercase());
        if pairs.len() >= MOST_PAIRS && !pairs.contains_key(&pair) {
            pair = (None, String::new());
        }
        let failures = pairs.entry(pair).or_insert_with(|| Failures {
            count: 0,
            last: now,
            reported: None,
            request: request.clone(),
            user: None,
            reason,
        });
        failures.count += 1;
        failures.last = now;
        failures.request = request.clone();
        failures.user = user;
        failures.reason = reason;
    }

    /// Adds the begin of a refusal of logins. There are at most as many as [`LoginThrottle`] has entries.
    ///
    /// [`LoginThrottle`]: crate::login_throttle::LoginThrottle
    pub(crate) fn add_refusal(&self, user: Option<User>, until: Timestamp, request: &RequestInfo, now: Timestamp) {
        let origin = Origin { time: now, request: Some(request.clone()), actor: None, key: None };
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.push((origin, Event::LoginThrottled { user, until }));
    }

    /// The events due at `now`; with `all`, every event with an unreported failure.
    fn due(&self, now: Timestamp, all: bool) -> Vec<(Origin, Event)> {
        let mut pairs = self.pairs.lock().unwrap_or_else(PoisonError::into_inner);
        pairs.retain(|_, failures| failures.count > 0 || failures.reported.is_some_and(|at| now.since(at) < INTERVAL));
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let mut events = std::mem::take(&mut *refusals);
        drop(refusals);
        for failures in pairs.values_mut().filter(|failures| failures.count > 0) {
            if all || failures.reported.is_none_or(|at| now.since(at) >= INTERVAL) {
                let origin =
                    Origin { time: failures.last, request: Some(failures.request.clone()), actor: None, key: None };
                let (user, count, reason) = (failures.user.clone(), failures.count, failures.reason);
                events.push((origin, Event::LoginFailed { user, count, reason }));
                failures.count = 0;
                failures.reported = Some(now);
            }
        }
        events
    }
}

impl Service {
    /// Writes the due entries of failed logins. Called every second, and with `all` at shutdown.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; the due entries are then missing from the audit log.
    pub async fn flush_failed_logins(&self, all: bool) -> Result<(), StoreError> {
        let events = self.inner.failed_logins.due(self.now(), all);
        if events.is_empty() {
            return Ok(());
        }
        let work = move |tx: &mut Tx<'_>| {
            for (origin, event) in events {
                tx.record(&origin, event);
            }
            Ok(())
        };
        self.change(Lane::Normal, work).await
    }
}
