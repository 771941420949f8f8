//! Failed logins, told to the audit log at most once a minute for each address and name.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use keyward_domain::audit::{Context, RequestInfo};
use keyward_domain::{Lifetime, Timestamp, User};
use keyward_storage::{Lane, StoreError, audit};

use crate::Service;
use crate::cache::Touched;

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
    reason: &'static str,
}

impl FailedLogins {
    /// Counts a failure.
    pub(crate) fn add(
        &self,
        name: &str,
        meant: Option<User>,
        reason: &'static str,
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
    fn due(&self, now: Timestamp, all: bool) -> Vec<keyward_domain::audit::Entry> {
        let mut pairs = self.pairs.lock().unwrap_or_else(PoisonError::into_inner);
        pairs.retain(|_, failures| failures.count > 0 || failures.told.is_some_and(|told| now.since(told) < INTERVAL));
        let mut entries = Vec::new();
        for failures in pairs.values_mut().filter(|failures| failures.count > 0) {
            if all || failures.told.is_none_or(|told| now.since(told) >= INTERVAL) {
                let context = Context { time: failures.last, request: Some(failures.request.clone()), actor: None };
                entries.push(context.failed_login(failures.meant.as_ref(), failures.count, failures.reason));
                failures.count = 0;
                failures.told = Some(now);
            }
        }
        entries
    }
}

impl Service {
    /// Writes the failed logins that are due. Called every second, and with `all` at the end.
    ///
    /// # Errors
    /// When the database fails; what was due is then only in the server's log.
    pub async fn flush_failed_logins(&self, all: bool) -> Result<(), StoreError> {
        let entries = self.inner.failed_logins.due(self.now(), all);
        if entries.is_empty() {
            return Ok(());
        }
        let work =
            move |conn: &mut keyward_storage::Conn<'_>| entries.iter().try_for_each(|entry| audit::write(conn, entry));
        self.change(Lane::Normal, Touched::Nothing, work).await
    }
}
