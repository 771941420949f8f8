//! The two SQL types that the databases have in different forms: an instant and an id.

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::query_builder::QueryId;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{BigInt, SqlType, Text};
use diesel::sqlite::Sqlite;
use keyward_domain::Timestamp;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, Month, PrimitiveDateTime, Time};
use uuid::Uuid;

/// `timestamptz` on PostgreSQL, text of one width on SQLite.
#[derive(Debug, Clone, Copy, Default, SqlType, QueryId)]
#[diesel(postgres_type(oid = 1184, array_oid = 1185), sqlite_type(name = "Text"))]
pub struct Instant;

/// `uuid` on PostgreSQL, text of 36 characters on SQLite.
#[derive(Debug, Clone, Copy, Default, SqlType, QueryId)]
#[diesel(postgres_type(oid = 2950, array_oid = 2951), sqlite_type(name = "Text"))]
pub struct Id;

/// A [`Timestamp`], as rows hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Instant)]
pub struct DbInstant(pub Timestamp);

/// A [`Uuid`], as rows hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Id)]
pub struct DbId(pub Uuid);

/// Every digit is always written: text order must be time order.
const FIXED_WIDTH: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

/// PostgreSQL counts microseconds from 2000-01-01T00:00:00Z.
const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;

impl ToSql<Instant, Sqlite> for DbInstant {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.to_datetime().format(FIXED_WIDTH)?);
        Ok(IsNull::No)
    }
}

impl FromSql<Instant, Sqlite> for DbInstant {
    fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        let text = <String as FromSql<Text, Sqlite>>::from_sql(value)?;
        Ok(Self(match fixed_width(text.as_bytes()) {
            Some(instant) => instant,
            // Written by hand, or no time at all: that parser says what is wrong.
            None => text.parse()?,
        }))
    }
}

/// Reads what [`FIXED_WIDTH`] writes, in a tenth of the time that a parser of all that RFC 3339 allows
/// takes: a row has up to nine of them.
fn fixed_width(text: &[u8]) -> Option<Timestamp> {
    let &[y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T', ref time @ ..] = text else { return None };
    let &[h0, h1, b':', n0, n1, b':', s0, s1, b'.', ref micros @ .., b'Z'] = time else { return None };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_u32, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit - b'0')))
    };
    let small = |digits: &[u8]| number(digits).and_then(|number| u8::try_from(number).ok());
    let micros = number(micros).filter(|_| micros.len() == 6)?;
    let year = i32::try_from(number(&[y0, y1, y2, y3])?).ok()?;
    let month = Month::try_from(small(&[m0, m1])?).ok()?;
    let date = Date::from_calendar_date(year, month, small(&[d0, d1])?).ok()?;
    let time = Time::from_hms_micro(small(&[h0, h1])?, small(&[n0, n1])?, small(&[s0, s1])?, micros).ok()?;
    Timestamp::from_datetime(PrimitiveDateTime::new(date, time).assume_utc())
}

impl ToSql<Instant, Pg> for DbInstant {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let micros = self.0.as_micros() - POSTGRES_EPOCH_MICROS;
        ToSql::<BigInt, Pg>::to_sql(&micros, &mut out.reborrow())
    }
}

impl FromSql<Instant, Pg> for DbInstant {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let micros = <i64 as FromSql<BigInt, Pg>>::from_sql(value)?;
        micros
            .checked_add(POSTGRES_EPOCH_MICROS)
            .and_then(Timestamp::from_micros)
            .map(Self)
            .ok_or_else(|| "an instant is outside the years 0000 to 9999".into())
    }
}

impl ToSql<Id, Sqlite> for DbId {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.to_string());
        Ok(IsNull::No)
    }
}

impl FromSql<Id, Sqlite> for DbId {
    fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        let text = <String as FromSql<Text, Sqlite>>::from_sql(value)?;
        Ok(Self(Uuid::try_parse(&text)?))
    }
}

impl ToSql<Id, Pg> for DbId {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        std::io::Write::write_all(out, self.0.as_bytes())?;
        Ok(IsNull::No)
    }
}

impl FromSql<Id, Pg> for DbId {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(Uuid::from_slice(value.as_bytes())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_by_both_ways() {
        let one_by_one = (0..100_000).filter_map(|step| Timestamp::from_micros(step * 2_534_023_007_999 - 7));
        for instant in one_by_one.chain([Timestamp::MIN, Timestamp::EPOCH, Timestamp::MAX]) {
            let text = instant.to_datetime().format(FIXED_WIDTH).unwrap();
            assert_eq!(fixed_width(text.as_bytes()), Some(instant), "{text}");
            assert_eq!(text.parse::<Timestamp>().unwrap(), instant);
        }
    }

    #[test]
    fn what_is_not_of_that_width_is_left_to_the_parser() {
        for text in [
            "",
            "2026-01-31T12:00:00Z",
            "2026-01-31T12:00:00.12345Z",
            "2026-01-31T12:00:00.1234567Z",
            "2026-01-31T12:00:00.123456+",
            "2026-02-30T12:00:00.123456Z",
            "2026-13-01T12:00:00.123456Z",
            "2026-01-31T24:00:00.123456Z",
            "2026-01-31T12:00:60.123456Z",
            "+026-01-31T12:00:00.123456Z",
            "2026-01-31t12:00:00.123456Z",
        ] {
            assert_eq!(fixed_width(text.as_bytes()), None, "{text}");
        }
    }
}
