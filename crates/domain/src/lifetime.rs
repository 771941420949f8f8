//! Lifetimes of keys: durations as people write them (`90m`, `7d`, `1d12h`) and as JSON carries
//! them (nanoseconds, seconds).

use std::fmt;
use std::str::FromStr;

/// A non-negative duration in nanoseconds; at most about 292 years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lifetime {
    nanos: i64,
}

/// Why a text is not a [`Lifetime`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLifetime {
    /// The text is not one or more pairs of digits and unit.
    #[error("\"{0}\" is not a duration: want whole numbers with a unit (s, m, h, d, w or y), such as 90m, 7d or 1d12h")]
    Malformed(String),
    /// The sum is zero.
    #[error("\"{0}\" is zero: want at least one second, such as 1h")]
    Zero(String),
    /// The sum overflows.
    #[error("\"{0}\" is too long: want at most 292y")]
    TooLong(String),
}

const SECOND: i64 = 1_000_000_000;

impl Lifetime {
    /// The longest lifetime, about 292 years.
    pub const MAX: Self = Self { nanos: i64::MAX };

    /// From nanoseconds; none if negative.
    #[must_use]
    pub fn from_nanos(nanos: i64) -> Option<Self> {
        (nanos >= 0).then_some(Self { nanos })
    }

    /// From seconds; none if negative or more than 292 years.
    #[must_use]
    pub fn from_secs(secs: i64) -> Option<Self> {
        secs.checked_mul(SECOND).and_then(Self::from_nanos)
    }

    /// From days, for constants.
    #[must_use]
    pub const fn days(days: u16) -> Self {
        Self { nanos: days as i64 * 86_400 * SECOND }
    }

    /// From hours, for constants.
    #[must_use]
    pub const fn hours(hours: u16) -> Self {
        Self { nanos: hours as i64 * 3_600 * SECOND }
    }

    /// From seconds, for constants.
    #[must_use]
    pub const fn seconds(seconds: u16) -> Self {
        Self { nanos: seconds as i64 * SECOND }
    }

    /// From minutes, for constants.
    #[must_use]
    pub const fn minutes(minutes: u16) -> Self {
        Self { nanos: minutes as i64 * 60 * SECOND }
    }

    pub(crate) fn from_micros(micros: i64) -> Self {
        Self { nanos: micros.saturating_mul(1_000).max(0) }
    }

    /// In nanoseconds.
    #[must_use]
    pub fn as_nanos(self) -> i64 {
        self.nanos
    }

    /// In whole microseconds, rounded down.
    #[must_use]
    pub fn as_micros(self) -> i64 {
        self.nanos / 1_000
    }

    /// In whole seconds, rounded down.
    #[must_use]
    pub fn as_secs(self) -> i64 {
        self.nanos / SECOND
    }

    /// Whether the duration is zero.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.nanos == 0
    }

    /// Adds `other`; [`Self::MAX`] at the most.
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        Self { nanos: self.nanos.saturating_add(other.nanos) }
    }

    /// Subtracts `other`; zero if `other` is longer.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self { nanos: self.nanos.saturating_sub(other.nanos).max(0) }
    }
}

impl FromStr for Lifetime {
    type Err = InvalidLifetime;

    /// `([0-9]+(s|m|h|d|w|y))+`, where d is 24 h, w is 7 d and y is 365 d.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || InvalidLifetime::Malformed(text.to_owned());
        let too_long = || InvalidLifetime::TooLong(text.to_owned());
        let mut total: i64 = 0;
        let mut number: Option<i64> = None;
        for symbol in text.chars() {
            if let Some(digit) = symbol.to_digit(10) {
                let grown = number.unwrap_or(0).checked_mul(10).and_then(|n| n.checked_add(i64::from(digit)));
                number = Some(grown.ok_or_else(too_long)?);
                continue;
            }
            let seconds: i64 = match symbol {
                's' => 1,
                'm' => 60,
                'h' => 3_600,
                'd' => 86_400,
                'w' => 7 * 86_400,
                'y' => 365 * 86_400,
                _ => return Err(malformed()),
            };
            let count = number.take().ok_or_else(malformed)?;
            total = count
                .checked_mul(seconds)
                .and_then(|secs| secs.checked_mul(SECOND))
                .and_then(|nanos| total.checked_add(nanos))
                .ok_or_else(too_long)?;
        }
        if number.is_some() || text.is_empty() {
            return Err(malformed());
        }
        if total == 0 {
            return Err(InvalidLifetime::Zero(text.to_owned()));
        }
        Ok(Self { nanos: total })
    }
}

impl fmt::Display for Lifetime {
    /// Days, hours, minutes and seconds in the form that flags accept, such as `1d12h`; `90s` becomes
    /// `1m30s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secs = self.as_secs();
        if secs == 0 {
            return f.write_str("0s");
        }
        for (count, unit) in [(secs / 86_400, 'd'), (secs / 3_600 % 24, 'h'), (secs / 60 % 60, 'm'), (secs % 60, 's')] {
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, secs) in
            [("90s", 90), ("90m", 5_400), ("7d", 604_800), ("1w", 604_800), ("1y", 31_536_000), ("1d12h", 129_600)]
        {
            assert_eq!(text.parse::<Lifetime>().unwrap().as_secs(), secs, "{text}");
        }
    }

    #[test]
    fn an_invalid_duration_is_refused_and_quoted() {
        for text in ["", "7", "d", "7 d", "1.5h", "-1h", "7D", "7d3", "٣d", "0s", "0d0h", "999999999999y", "300y"] {
            let error = text.parse::<Lifetime>().unwrap_err();
            assert!(error.to_string().contains(&format!("\"{text}\"")), "{error}");
        }
    }

    #[test]
    fn a_duration_is_written_as_it_can_be_read() {
        for text in ["7d", "366d", "1d12h", "1m30s", "24d"] {
            assert_eq!(text.parse::<Lifetime>().unwrap().to_string(), text);
        }
    }
}
