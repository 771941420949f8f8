//! Instants and where they come from.
//!
//! Rules never ask for the time: they are functions of `(thing, now)`. `now` is read once for each
//! request from a [`Clock`], which tests can move.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::SystemTime;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::lifetime::Lifetime;

/// A point in time, UTC, in whole microseconds, between the years 0000 and 9999.
///
/// Microseconds because PostgreSQL keeps no more: an instant that is cut when it is made compares
/// equal to itself after a trip through either database.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Microseconds since 1970-01-01T00:00:00Z, always within `MIN..=MAX`.
    micros: i64,
}

/// A text or number that is no [`Timestamp`].
#[derive(Debug, thiserror::Error)]
#[error("\"{0}\" is not a time: want RFC 3339 such as 2026-01-31T12:00:00Z")]
pub struct InvalidTimestamp(String);

impl Timestamp {
    /// 1970-01-01T00:00:00Z, which stands for "never used" on the wire.
    pub const EPOCH: Self = Self { micros: 0 };
    /// 0000-01-01T00:00:00Z, before every instant a clock can tell.
    pub const MIN: Self = Self { micros: -62_167_219_200_000_000 };
    /// 9999-12-31T23:59:59.999999Z, the last instant RFC 3339 can write.
    pub const MAX: Self = Self { micros: 253_402_300_799_999_999 };

    /// The instant so many microseconds after the epoch, if the calendar reaches that far.
    #[must_use]
    pub fn from_micros(micros: i64) -> Option<Self> {
        let instant = Self { micros };
        (Self::MIN..=Self::MAX).contains(&instant).then_some(instant)
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn as_micros(self) -> i64 {
        self.micros
    }

    /// Cuts a `time` instant to microseconds; none if its year is outside 0000 to 9999.
    #[must_use]
    pub fn from_datetime(instant: OffsetDateTime) -> Option<Self> {
        let micros = instant.unix_timestamp_nanos().div_euclid(1_000);
        i64::try_from(micros).ok().and_then(Self::from_micros)
    }

    /// The same instant as the `time` crate knows it.
    #[must_use]
    pub fn to_datetime(self) -> OffsetDateTime {
        // Within MIN..=MAX the conversion cannot fail; the epoch is never reached.
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.micros) * 1_000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// This instant and a lifetime more; none if that is past the year 9999.
    #[must_use]
    pub fn checked_add(self, lifetime: Lifetime) -> Option<Self> {
        self.micros.checked_add(lifetime.as_micros()).and_then(Self::from_micros)
    }

    /// This instant less a lifetime; the year 0 at the earliest.
    #[must_use]
    pub fn saturating_sub(self, lifetime: Lifetime) -> Self {
        self.micros.checked_sub(lifetime.as_micros()).and_then(Self::from_micros).unwrap_or(Self::MIN)
    }

    /// How long from `earlier` to this instant; zero if it is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> Lifetime {
        Lifetime::from_micros(self.micros.saturating_sub(earlier.micros).max(0))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339, UTC, with as many digits of a second as are not zero.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_datetime().format(&Rfc3339).map_err(|_unwritable| fmt::Error)?)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        OffsetDateTime::parse(text, &Rfc3339)
            .ok()
            .and_then(Self::from_datetime)
            .ok_or_else(|| InvalidTimestamp(text.to_owned()))
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Where `now` comes from.
pub trait Clock: Send + Sync + 'static {
    /// The present instant. Never earlier than one this clock has already told.
    fn now(&self) -> Timestamp;
}

/// The machine's wall clock, held back from running backwards within the process.
#[derive(Debug, Default)]
pub struct SystemClock {
    latest: AtomicI64,
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let read = i64::try_from(since.as_micros()).ok().and_then(Timestamp::from_micros).unwrap_or(Timestamp::MAX);
        let before = self.latest.fetch_max(read.micros, Ordering::AcqRel);
        Timestamp { micros: before.max(read.micros) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_cut_to_microseconds_and_written_as_rfc_3339() {
        let text = "2026-01-31T12:00:00.123456789Z";
        let instant: Timestamp = text.parse().unwrap();
        assert_eq!(instant.to_string(), "2026-01-31T12:00:00.123456Z");
        assert_eq!(Timestamp::EPOCH.to_string(), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn arithmetic_past_the_calendar_is_refused() {
        assert_eq!(Timestamp::MAX.checked_add(Lifetime::from_secs(1).unwrap()), None);
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59.999999Z");
        assert_eq!(Timestamp::MIN.to_string(), "0000-01-01T00:00:00Z");
    }

    #[test]
    fn the_system_clock_does_not_run_backwards() {
        let clock = SystemClock { latest: AtomicI64::new(Timestamp::MAX.micros) };
        assert_eq!(clock.now(), Timestamp::MAX);
    }
}
