//! What the database knows about time: its own clock, its newest audit entry, and the clock epoch.

use diesel::dsl::sql;
use diesel::prelude::*;
use keyward_domain::Timestamp;
use keyward_domain::event::{Event, Origin};

use crate::conn::{Conn, on_backend};
use crate::error::StoreError;
use crate::schema::{audit_logs, clock_epochs};
use crate::sql_types::{DbInstant, Instant};
use crate::tx::Tx;

/// The time of the database's own clock; none on SQLite, which has no clock of its own.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn database_time(conn: &mut Conn<'_>) -> Result<Option<Timestamp>, StoreError> {
    match conn {
        Conn::Sqlite(_) => Ok(None),
        Conn::Postgres(db) => {
            let now: DbInstant = diesel::select(sql::<Instant>("clock_timestamp()")).get_result(*db)?;
            Ok(Some(now.0))
        }
    }
}

/// The time of the newest audit entry of the current clock epoch: no right clock shows an earlier time.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn newest_entry(conn: &mut Conn<'_>) -> Result<Option<Timestamp>, StoreError> {
    // Entries of earlier epochs are few, and newer than the present time, so the scan soon ends.
    let newest: Option<DbInstant> = on_backend!(conn, |db| audit_logs::table
        .filter(audit_logs::clock_epoch.nullable().eq(clock_epochs::table.select(clock_epochs::epoch).single_value()))
        .order((audit_logs::time.desc(), audit_logs::id.desc()))
        .select(audit_logs::time)
        .first(db)
        .optional())?;
    Ok(newest.map(|time| time.0))
}

/// Records that this server has adopted a step of its wall clock. If its time went back, a new clock
/// epoch begins.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn adopt(tx: &mut Tx<'_>, before: Timestamp, after: Timestamp, origin: &Origin) -> Result<(), StoreError> {
    if after < before {
        begin_epoch(tx)?;
    }
    tx.record(origin, Event::ClockAdopted { before, after });
    Ok(())
}

/// Begins a new clock epoch on behalf of an operator, so that entries from before it no longer count
/// as later than `now`.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn accept(tx: &mut Tx<'_>, newest: Timestamp, now: Timestamp, origin: &Origin) -> Result<(), StoreError> {
    begin_epoch(tx)?;
    tx.record(origin, Event::ClockAccepted { newest, now });
    Ok(())
}

fn begin_epoch(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    on_backend!(tx.conn(), |db| diesel::update(clock_epochs::table)
        .set(clock_epochs::epoch.eq(clock_epochs::epoch + 1_i64))
        .execute(db))?;
    Ok(())
}
