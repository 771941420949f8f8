//! The monotonic clock, for leases and as the base of `now`. It keeps running while the machine is
//! suspended, where the platform has such a clock: on Linux `Instant` stops in suspend, and a lease
//! must not.

use std::time::Duration;

/// Nanoseconds since a fixed moment: the boot of the machine, or the start of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    /// The zero of the clock, not later than any moment that [`Self::now`] returns.
    pub const BEGINNING: Self = Self(0);

    /// The current moment.
    #[cfg(target_os = "linux")]
    #[inline]
    #[must_use]
    pub fn now() -> Self {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let (seconds, nanos) = (now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs());
        Self(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
    }

    /// The current moment.
    #[cfg(not(target_os = "linux"))]
    #[must_use]
    pub fn now() -> Self {
        use std::sync::OnceLock;
        use std::time::Instant;

        static BEGAN: OnceLock<Instant> = OnceLock::new();
        Self(u64::try_from(BEGAN.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// The moment `duration` later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// The duration since `earlier`; zero if `earlier` is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Whole microseconds of [`Self::nanos`].
    pub(crate) fn micros(self) -> i64 {
        // At most 2^64 / 1 000, which is within i64.
        i64::try_from(self.0 / 1_000).unwrap_or(i64::MAX)
    }

    /// The nanoseconds, to be stored in an atomic.
    #[must_use]
    pub fn nanos(self) -> u64 {
        self.0
    }

    /// The moment with this number of nanoseconds, as returned by [`Self::nanos`].
    #[must_use]
    pub fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }
}
