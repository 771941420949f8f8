//! The clock that leases are measured by: one that goes on while the machine sleeps, where there is
//! one. `Instant` stands still in suspend on Linux, and a lease must not.

use std::time::Duration;

/// Nanoseconds since some moment before this process began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    /// Before every present.
    pub const BEGINNING: Self = Self(0);

    /// The present.
    #[cfg(target_os = "linux")]
    #[inline]
    #[must_use]
    pub fn now() -> Self {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let (seconds, nanos) = (now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs());
        Self(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
    }

    /// The present.
    #[cfg(not(target_os = "linux"))]
    #[must_use]
    pub fn now() -> Self {
        use std::sync::OnceLock;
        use std::time::Instant;

        static BEGAN: OnceLock<Instant> = OnceLock::new();
        Self(u64::try_from(BEGAN.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// So much later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// How long from `earlier` to this moment; zero if it is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// As a number of nanoseconds, to be kept in an atomic.
    #[must_use]
    pub fn nanos(self) -> u64 {
        self.0
    }

    /// The moment of that number.
    #[must_use]
    pub fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }
}
