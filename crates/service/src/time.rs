//! Time: checks this server's clock against the wall clock, the database's clock and the audit log.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use keyward_domain::event::Origin;
use keyward_domain::{ClockChange, ClockState, Timestamp};
use keyward_storage::{Lane, StoreError, clock};

use crate::{Error, Service, settings};

/// A reading of the database's clock that takes longer says too little about the present time.
const WITNESS_WITHIN: Duration = Duration::from_secs(2);

/// How this server's clock relates to other clocks.
#[derive(Debug, Default)]
pub(crate) struct Skew {
    /// Microseconds by which the database's clock is ahead of this server's; 0 on SQLite.
    micros: AtomicI64,
}

/// The time that [`Service::accept_clock`] accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// The newest audit entry is not later than the present time, or there is none: nothing to accept.
    NotNeeded,
    /// Entries up to `newest` no longer count.
    Accepted {
        /// The present time.
        now: Timestamp,
        /// The time of the newest audit entry.
        newest: Timestamp,
    },
}

impl Service {
    /// The current time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// How this server's clock relates to the wall clock.
    #[must_use]
    pub fn clock_state(&self) -> ClockState {
        self.inner.clock.state()
    }

    /// Seconds by which the wall clock is ahead of this server's time; 0 unless a step is held.
    #[must_use]
    pub fn clock_step_seconds(&self) -> f64 {
        self.inner.clock.step_seconds()
    }

    /// Seconds by which the database's clock is ahead of this server's time, as last measured; 0 on
    /// SQLite.
    #[must_use]
    pub fn clock_skew_seconds(&self) -> f64 {
        let micros = self.inner.skew.micros.load(Ordering::Relaxed);
        Duration::from_micros(micros.unsigned_abs()).as_secs_f64().copysign(if micros < 0 { -1.0 } else { 1.0 })
    }

    /// Compares this server's clock with the wall clock; call it once a second. On PostgreSQL, the
    /// database's clock is the witness of a step. Returns what changed.
    pub async fn observe_clock(&self) -> Option<ClockChange> {
        let witness = if self.inner.clock.is_stepped() { self.database_time().await } else { None };
        self.inner.clock.observe(witness)
    }

    /// Writes the audit entry of an adopted step, and clears the verifiers' caches: what they hold was
    /// computed with the old time. On an error nothing is written, and the call can be repeated.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn record_adopted_step(&self, before: Timestamp, after: Timestamp) -> Result<(), StoreError> {
        self.clear_caches();
        let origin = Origin::system(after);
        self.change(Lane::Normal, move |tx| clock::adopt(tx, before, after, &origin)).await
    }

    /// Measures how far the database's clock is ahead of this server's, in seconds. None on SQLite, or
    /// if the database does not answer in time.
    pub async fn measure_skew(&self) -> Option<f64> {
        let time = self.database_time().await?;
        self.inner.skew.micros.store(time.micros_after(self.now()), Ordering::Relaxed);
        Some(self.clock_skew_seconds())
    }

    /// The database's time, unless it has none or took too long.
    async fn database_time(&self) -> Option<Timestamp> {
        let asked = Instant::now();
        let read = self.inner.store.read(Lane::ChangeLog, clock::database_time);
        match tokio::time::timeout(WITNESS_WITHIN, read).await {
            Ok(Ok(time)) => time.filter(|_| asked.elapsed() < WITNESS_WITHIN),
            Ok(Err(error)) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "the database's clock was not read");
                None
            }
            Err(_elapsed) => None,
        }
    }

    /// Refuses a clock far behind the newest audit entry: expired keys would be live again.
    ///
    /// # Errors
    /// [`Error::ClockBehind`] if it is more than 1 min behind, or an error of the database.
    pub async fn check_clock(&self) -> Result<(), Error> {
        let newest = self.inner.store.read(Lane::Normal, clock::newest_entry).await?;
        let now = self.now();
        match newest {
            Some(newest) if newest.since(now) > settings::CLOCK_TOLERANCE => Err(Error::ClockBehind { now, newest }),
            _ => Ok(()),
        }
    }

    /// Accepts the present time although an audit entry has a later one, for an operator whose clock was
    /// ahead and is right now. Entries from before this call no longer count for [`Self::check_clock`].
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn accept_clock(&self) -> Result<Accepted, StoreError> {
        let now = self.now();
        let origin = Origin::system(now);
        self.change(Lane::Normal, move |tx| {
            let Some(newest) = clock::newest_entry(tx)?.filter(|newest| *newest > now) else {
                return Ok(Accepted::NotNeeded);
            };
            clock::accept(tx, newest, now, &origin)?;
            Ok(Accepted::Accepted { now, newest })
        })
        .await
    }
}
