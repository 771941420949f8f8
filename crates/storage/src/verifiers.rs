//! What servers must know of leases that others gave: the longest ever given, and, where several
//! servers may run, who gives any and what has changed since one looked last.
//!
//! None of it is a change of a key or a user, and none leaves an audit entry.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text};
use keyward_domain::KeyId;
use uuid::Uuid;

use crate::conn::{Conn, on_backend};
use crate::error::StoreError;
use crate::schema::{verifier_lease, verifier_servers};
use crate::sql_types::DbId;

/// How many changes are read one by one; beyond that they are more than are worth naming.
const MOST_CHANGES: i32 = 4_096;

/// The longest lease ever given, in milliseconds; none if none was.
///
/// # Errors
/// When the database fails.
pub fn longest_lease(conn: &mut Conn<'_>) -> Result<Option<i64>, StoreError> {
    let stored: Option<Option<i64>> =
        on_backend!(conn, |db| verifier_lease::table.select(verifier_lease::longest_ms).get_result(db).optional())?;
    Ok(stored.flatten())
}

/// Notes a lease, if it is the longest yet. Done before it is given.
///
/// # Errors
/// When the database fails.
pub fn note_lease(conn: &mut Conn<'_>, millis: i64) -> Result<(), StoreError> {
    on_backend!(conn, |db| diesel::update(verifier_lease::table)
        .filter(verifier_lease::longest_ms.is_null().or(verifier_lease::longest_ms.lt(millis)))
        .set(verifier_lease::longest_ms.eq(millis))
        .execute(db))?;
    Ok(())
}

/// Notes that a server gives leases, and that it is alive.
///
/// # Errors
/// When the database fails.
pub fn beat(conn: &mut Conn<'_>, server: Uuid, beat: i64) -> Result<(), StoreError> {
    let row = (verifier_servers::id.eq(DbId(server)), verifier_servers::beat.eq(beat));
    on_backend!(conn, |db| diesel::insert_into(verifier_servers::table)
        .values(row)
        .on_conflict(verifier_servers::id)
        .do_update()
        .set(verifier_servers::beat.eq(beat))
        .execute(db))?;
    Ok(())
}

/// Takes a server off the list, unless its beat has moved.
///
/// # Errors
/// When the database fails.
pub fn forget_server(conn: &mut Conn<'_>, server: Uuid, beat: i64) -> Result<(), StoreError> {
    on_backend!(conn, |db| diesel::delete(verifier_servers::table)
        .filter(verifier_servers::id.eq(DbId(server)))
        .filter(verifier_servers::beat.eq(beat))
        .execute(db))?;
    Ok(())
}

/// A moment in the life of a PostgreSQL database: which transactions had been committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot(String);

/// What one look at the log of changes told.
#[derive(Clone, Debug)]
pub struct ChangeLogRead {
    /// The moment of the look.
    pub snapshot: Snapshot,
    /// The keys that changed since the last look; none if there were more than are worth naming, or
    /// it is not known.
    pub keys: Option<Vec<KeyId>>,
    /// The servers that may have given leases, each with its beat.
    pub servers: Vec<(Uuid, i64)>,
    /// The longest lease ever given by any, in milliseconds.
    pub longest_lease: Option<i64>,
}

#[derive(QueryableByName)]
struct HeardRow {
    #[diesel(sql_type = Text)]
    snapshot: String,
    #[diesel(sql_type = Bool)]
    missed: bool,
    #[diesel(sql_type = Array<Nullable<Text>>)]
    keys: Vec<Option<String>>,
    #[diesel(sql_type = Array<Text>)]
    servers: Vec<String>,
    #[diesel(sql_type = Array<BigInt>)]
    beats: Vec<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    longest_lease: Option<i64>,
}

/// One statement, so that all of it is of one moment.
const HEAR: &str = "
    SELECT pg_current_snapshot()::text AS snapshot,
        lease.trimmed_before > pg_snapshot_xmin(last.snapshot) AS missed,
        lease.longest_ms AS longest_lease,
        ARRAY(
            SELECT key_id FROM verifier_changes
            WHERE xid >= pg_snapshot_xmin(last.snapshot) AND NOT pg_visible_in_snapshot(xid, last.snapshot)
            LIMIT $2
        ) AS keys,
        ARRAY(SELECT id::text FROM verifier_servers ORDER BY id) AS servers,
        ARRAY(SELECT beat FROM verifier_servers ORDER BY id) AS beats
    FROM verifier_lease AS lease,
        (SELECT coalesce($1::pg_snapshot, pg_current_snapshot()) AS snapshot) AS last";

/// What has changed since the last look, through whichever server or by hand, and who else gives
/// leases. None on SQLite, which has one server.
///
/// # Errors
/// When the database fails.
pub fn hear(conn: &mut Conn<'_>, last: Option<&Snapshot>) -> Result<Option<ChangeLogRead>, StoreError> {
    let db = match conn {
        Conn::Sqlite(_) => return Ok(None),
        Conn::Postgres(db) => &mut **db,
    };
    let row: HeardRow = diesel::sql_query(HEAR)
        .bind::<Nullable<Text>, _>(last.map(|last| last.0.as_str()))
        .bind::<diesel::sql_types::Integer, _>(MOST_CHANGES + 1)
        .get_result(db)?;
    let nameable = last.is_some() && !row.missed && row.keys.len() <= MOST_CHANGES as usize;
    // A row without a name, and an id that is none, stand for whatever may have changed.
    let keys = row.keys.into_iter().map(|id| id.and_then(|id| id.parse().ok())).collect::<Option<Vec<KeyId>>>();
    let servers = row.servers.iter().filter_map(|id| id.parse().ok()).zip(row.beats).collect();
    Ok(Some(ChangeLogRead {
        snapshot: Snapshot(row.snapshot),
        keys: keys.filter(|_| nameable),
        servers,
        longest_lease: row.longest_lease,
    }))
}

/// Removes the changes that were over at this moment. Nothing to do on SQLite.
///
/// # Errors
/// When the database fails.
pub fn trim(conn: &mut Conn<'_>, before: &Snapshot) -> Result<(), StoreError> {
    let db = match conn {
        Conn::Sqlite(_) => return Ok(()),
        Conn::Postgres(db) => &mut **db,
    };
    let removed = diesel::sql_query("DELETE FROM verifier_changes WHERE xid < pg_snapshot_xmin($1::pg_snapshot)")
        .bind::<Text, _>(&before.0)
        .execute(db)?;
    if removed > 0 {
        // In the same transaction: who looks sees either the rows, or that they are gone.
        diesel::sql_query(
            "UPDATE verifier_lease SET trimmed_before = greatest(trimmed_before, pg_snapshot_xmin($1::pg_snapshot))",
        )
        .bind::<Text, _>(&before.0)
        .execute(db)?;
    }
    Ok(())
}
