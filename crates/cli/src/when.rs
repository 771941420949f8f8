//! Instants on the command line: a date, a time, or a distance from now.

use std::str::FromStr;

use keyward_sdk::{Lifetime, Timestamp};

use crate::output::now;

/// An instant on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct When(Timestamp);

/// The text names no instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("want a date (2026-11-01, UTC), a time (2026-11-01T12:00:00Z), an age (2h, 7d), or a time from now (+2h, +7d)")]
pub(crate) struct InvalidWhen;

/// The text names no instant ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("want a date (2026-11-01, UTC), a time (2026-11-01T12:00:00Z), or a time from now (+2h, +7d), in the future")]
pub(crate) struct NotAhead;

impl When {
    /// The form that the server parses.
    pub(crate) fn wire(self) -> String {
        self.0.to_string()
    }

    /// Reads an instant that has not come yet.
    pub(crate) fn future(text: &str) -> Result<Self, NotAhead> {
        Self::ahead(text, now()).ok_or(NotAhead)
    }

    /// The instant.
    pub(crate) fn instant(self) -> Timestamp {
        self.0
    }

    fn ahead(text: &str, now: Timestamp) -> Option<Self> {
        Self::parse(text, now).filter(|when| when.0 > now)
    }

    fn parse(text: &str, now: Timestamp) -> Option<Self> {
        if let Ok(age) = text.parse::<Lifetime>() {
            return Some(Self(now.saturating_sub(age)));
        }
        if let Some(Ok(distance)) = text.strip_prefix('+').map(str::parse) {
            return now.checked_add(distance).map(Self);
        }
        text.parse().or_else(|_not_a_time| format!("{text}T00:00:00Z").parse()).ok().map(Self)
    }
}

impl FromStr for When {
    type Err = InvalidWhen;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text, now()).ok_or(InvalidWhen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_times_and_distances_are_instants() {
        let now = "2026-11-08T12:00:00Z".parse().unwrap();
        for (text, instant) in [
            ("2026-11-01", "2026-11-01T00:00:00Z"),
            ("2026-11-01T12:30:00Z", "2026-11-01T12:30:00Z"),
            ("2026-11-01T12:30:00+02:00", "2026-11-01T10:30:00Z"),
            ("2h", "2026-11-08T10:00:00Z"),
            ("7d", "2026-11-01T12:00:00Z"),
            ("+1d12h", "2026-11-10T00:00:00Z"),
        ] {
            assert_eq!(When::parse(text, now).unwrap().wire(), instant, "{text}");
        }
        for text in ["", "yesterday", "2026-13-01", "2026-11-01T12:00:00", "7", "-7d", "+", "+2026-11-01"] {
            assert_eq!(When::parse(text, now), None, "{text}");
        }
    }

    #[test]
    fn a_past_instant_or_an_age_is_not_ahead() {
        let now = "2026-11-08T12:00:00Z".parse().unwrap();
        let ahead = |text| When::ahead(text, now).map(|when| when.instant().to_string());
        assert_eq!(ahead("+2h").unwrap(), "2026-11-08T14:00:00Z");
        assert_eq!(ahead("2026-11-09").unwrap(), "2026-11-09T00:00:00Z");
        for text in ["2h", "2026-11-08T12:00:00Z", "2026-11-01", "soon"] {
            assert_eq!(ahead(text), None, "{text}");
        }
    }
}
