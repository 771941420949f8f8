//! Failed logins, told to the audit log at most once a minute for each address and name.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use keyward_domain::event::{Event, LoginFailure, Origin, RequestInfo};
use keyward_domain::{Lifetime, Timestamp, User};
use keyward_storage::{Lane, StoreError, Tx};

use crate::Service;

/// How often one address and name is told of.
const INTERVAL: Lifetime = Lifetime::minutes(1);

/// Beyond so many pairs of address and name in a minute, all further ones count as one.
const MOST_PAIRS: usize = 10_000;

/// The address, and the name in lower case.
type Pair = (Option<IpAddr>, String);

/// What has failed and is not told yet.
#[derive(Debug, Default)]
pub(crate) struct FailedLogins {
    pairs: Mutex<HashMap<Pair, Failures>>,
}

#[derive(Debug)]
struct Failures {
    /// Not told yet.
    count: u64,
    last: Timestamp,
    told: Option<Timestamp>,
    request: RequestInfo,
    meant: Option<User>,
    reason: LoginFailure,
}

impl FailedLogins {
    /// Counts a failure.
    pub(crate) fn add(
        &self,
        name: &str,
        meant: Option<User>,
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
            told: None,
            request: request.clone(),
            meant: None,
            reason,
        });
        failures.count += 1;
        failures.last = now;
        failures.request = request.clone();
        failures.meant = meant;
        failures.reason = reason;
    }

    /// What is due to be told at `now`; all that waits, at the end.
    fn due(&self, now: Timestamp, all: bool) -> Vec<(Origin, Event)> {
        let mut pairs = self.pairs.lock().unwrap_or_else(PoisonError::into_inner);
        pairs.retain(|_, failures| failures.count > 0 || failures.told.is_some_and(|told| now.since(told) < INTERVAL));
        let mut events = Vec::new();
        for failures in pairs.values_mut().filter(|failures| failures.count > 0) {
            if all || failures.told.is_none_or(|told| now.since(told) >= INTERVAL) {
                let origin = Origin { time: failures.last, request: Some(failures.request.clone()), actor: None };
                let (user, count, reason) = (failures.meant.clone(), failures.count, failures.reason);
                events.push((origin, Event::LoginFailed { user, count, reason }));
                failures.count = 0;
                failures.told = Some(now);
            }
        }
        events
    }
}

impl Service {
    /// Writes the failed logins that are due. Called every second, and with `all` at the end.
    ///
    /// # Errors
    /// When the database fails; what was due is then only in the server's log.
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
