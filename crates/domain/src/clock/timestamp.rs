//! Timestamps: points in time in whole microseconds.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::lifetime::Lifetime;

/// A point in time, UTC, in whole microseconds, between the years 0000 and 9999.
///
/// PostgreSQL stores microseconds, so rounding at creation makes a timestamp compare equal after a
/// round trip through either database.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Microseconds since 1970-01-01T00:00:00Z, always within `MIN..=MAX`.
    micros: i64,
}

/// The text is not a [`Timestamp`].
#[derive(Debug, thiserror::Error)]
#[error("\"{0}\" is not a time: want RFC 3339 such as 2026-01-31T12:00:00Z")]
pub struct InvalidTimestamp(String);

impl Timestamp {
    /// 1970-01-01T00:00:00Z, which means "never used" on the wire.
    pub const EPOCH: Self = Self { micros: 0 };
    /// 0000-01-01T00:00:00Z, earlier than every time a clock returns.
    pub const MIN: Self = Self { micros: -62_167_219_200_000_000 };
    /// 9999-12-31T23:59:59.999999Z, the last time that RFC 3339 can express.
    pub const MAX: Self = Self { micros: 253_402_300_799_999_999 };

    /// From microseconds since the epoch; none outside `MIN..=MAX`.
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

    /// The timestamp with this number of microseconds, or the nearest one of `MIN..=MAX`.
    #[must_use]
    pub(crate) fn nearest(micros: i64) -> Self {
        Self { micros: micros.clamp(Self::MIN.micros, Self::MAX.micros) }
    }

    /// The wall clock of the machine, or the nearest timestamp if it shows another time.
    #[must_use]
    pub(crate) fn of_wall_clock() -> Self {
        let micros = |span: std::time::Duration| i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => Self::nearest(micros(since)),
            Err(before) => Self::nearest(-micros(before.duration())),
        }
    }

    /// Microseconds from `earlier` to this timestamp; negative if `earlier` is later.
    #[must_use]
    pub fn micros_after(self, earlier: Self) -> i64 {
        // The difference of two values within MIN..=MAX is within i64.
        self.micros - earlier.micros
    }

    /// Rounds a `time` instant down to microseconds; none if its year is outside 0000 to 9999.
    #[must_use]
    pub fn from_datetime(instant: OffsetDateTime) -> Option<Self> {
        let micros = instant.unix_timestamp_nanos().div_euclid(1_000);
        i64::try_from(micros).ok().and_then(Self::from_micros)
    }

    /// Converts to the `time` crate's type.
    #[must_use]
    pub fn to_datetime(self) -> OffsetDateTime {
        // The conversion cannot fail within MIN..=MAX, so the fallback is never used.
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.micros) * 1_000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// Adds a lifetime; none if the result is past the year 9999.
    #[must_use]
    pub fn checked_add(self, lifetime: Lifetime) -> Option<Self> {
        self.micros.checked_add(lifetime.as_micros()).and_then(Self::from_micros)
    }

    /// Subtracts a lifetime; [`Self::MIN`] at the earliest.
    #[must_use]
    pub fn saturating_sub(self, lifetime: Lifetime) -> Self {
        self.micros.checked_sub(lifetime.as_micros()).and_then(Self::from_micros).unwrap_or(Self::MIN)
    }

    /// The duration since `earlier`; zero if `earlier` is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> Lifetime {
        Lifetime::from_micros(self.micros.saturating_sub(earlier.micros).max(0))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, without trailing zeros in the fraction of a second.
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
}
