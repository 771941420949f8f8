//! Relative times for people: `in 6 days`, `3 hours ago`, `never`.

use keyward_sdk::Timestamp;

const SECOND: u64 = 1;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const YEAR: u64 = 365 * DAY;

/// The current time by this machine's clock, which is accurate enough for relative times.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_datetime(time::OffsetDateTime::now_utc()).unwrap_or(Timestamp::MAX)
}

/// The distance of an instant from `now`, rounded to the nearest unit. The epoch means "never".
pub(super) fn relative(instant: Timestamp, now: Timestamp) -> String {
    if instant == Timestamp::EPOCH {
        return "never".to_owned();
    }
    let distance = instant.as_micros().saturating_sub(now.as_micros());
    let seconds = rounded(distance.unsigned_abs(), 1_000_000);
    let (count, unit) = match seconds {
        0 => return "now".to_owned(),
        _ if seconds < MINUTE => (seconds, "second"),
        _ if rounded(seconds, MINUTE) < 60 => (rounded(seconds, MINUTE), "minute"),
        _ if rounded(seconds, HOUR) < 48 => (rounded(seconds, HOUR), "hour"),
        _ if rounded(seconds, DAY) < 2 * 365 => (rounded(seconds, DAY), "day"),
        _ => (rounded(seconds, YEAR), "year"),
    };
    let plural = if count == 1 { "" } else { "s" };
    if distance > 0 { format!("in {count} {unit}{plural}") } else { format!("{count} {unit}{plural} ago") }
}

fn rounded(amount: u64, unit: u64) -> u64 {
    amount.saturating_add(unit / 2) / unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_times_are_rounded_to_one_unit() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        for (instant, said) in [
            ("1970-01-01T00:00:00Z", "never"),
            ("2026-01-31T12:00:00.4Z", "now"),
            ("2026-01-31T12:00:01Z", "in 1 second"),
            ("2026-01-31T11:59:01Z", "59 seconds ago"),
            ("2026-01-31T11:59:00Z", "1 minute ago"),
            ("2026-01-31T12:59:40Z", "in 1 hour"),
            ("2026-02-02T11:00:00Z", "in 47 hours"),
            ("2026-02-07T11:59:59Z", "in 7 days"),
            ("2026-01-21T12:00:00Z", "10 days ago"),
            ("2027-02-01T12:00:00Z", "in 366 days"),
            ("2029-01-31T12:00:00Z", "in 3 years"),
        ] {
            assert_eq!(relative(instant.parse().unwrap(), now), said, "{instant}");
        }
    }
}
