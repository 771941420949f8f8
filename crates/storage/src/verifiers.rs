//! State that servers share about verifier leases: the longest lease granted so far, and, on
//! PostgreSQL, the registered servers and the change log.
//!
//! These are not changes of keys or users, so they leave no audit entries.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text};
use keyward_domain::{KeyId, UserId};
use uuid::Uuid;

use crate::conn::{Conn, on_backend};
use crate::error::StoreError;
use crate::schema::{verifier_lease, verifier_servers};
use crate::sql_types::DbId;
use crate::tx::{Changes, Tx};

/// Maximum number of changes in one read. After more changes, a reader clears its whole cache.
const MOST_CHANGES: i32 = 4_096;

/// The longest lease granted so far, in milliseconds; none if none was granted.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn longest_lease(conn: &mut Conn<'_>) -> Result<Option<i64>, StoreError> {
    let stored: Option<Option<i64>> =
        on_backend!(conn, |db| verifier_lease::table.select(verifier_lease::longest_ms).get_result(db).optional())?;
    Ok(stored.flatten())
}

/// Records a lease if it is the longest so far. Call this before granting the lease.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn note_lease(tx: &mut Tx<'_>, millis: i64) -> Result<(), StoreError> {
    on_backend!(tx.conn(), |db| diesel::update(verifier_lease::table)
        .filter(verifier_lease::longest_ms.is_null().or(verifier_lease::longest_ms.lt(millis)))
        .set(verifier_lease::longest_ms.eq(millis))
        .execute(db))?;
    Ok(())
}

/// Records that a server is alive and grants leases.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn record_heartbeat(tx: &mut Tx<'_>, server: Uuid, beat: i64) -> Result<(), StoreError> {
    let row = (verifier_servers::id.eq(DbId(server)), verifier_servers::beat.eq(beat));
    on_backend!(tx.conn(), |db| diesel::insert_into(verifier_servers::table)
        .values(row)
        .on_conflict(verifier_servers::id)
        .do_update()
        .set(verifier_servers::beat.eq(beat))
        .execute(db))?;
    Ok(())
}

/// Removes a server from the list, unless its heartbeat counter is no longer `beat`.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn deregister(tx: &mut Tx<'_>, server: Uuid, beat: i64) -> Result<(), StoreError> {
    on_backend!(tx.conn(), |db| diesel::delete(verifier_servers::table)
        .filter(verifier_servers::id.eq(DbId(server)))
        .filter(verifier_servers::beat.eq(beat))
        .execute(db))?;
    Ok(())
}

/// A PostgreSQL snapshot: the set of committed transactions at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot(String);

/// The result of reading the change log.
#[derive(Clone, Debug)]
pub struct ChangeLogRead {
    /// The snapshot of this read.
    pub snapshot: Snapshot,
    /// The changes since the last read; none if there are too many or some are unknown.
    pub changes: Option<Changes>,
    /// The servers that may have granted leases, each with its heartbeat counter.
    pub servers: Vec<(Uuid, i64)>,
    /// The longest lease that any server granted so far, in milliseconds.
    pub longest_lease: Option<i64>,
}

#[derive(QueryableByName)]
struct ChangeLogRow {
    #[diesel(sql_type = Text)]
    snapshot: String,
    #[diesel(sql_type = Bool)]
    missed: bool,
    /// Whether the log has an entry without a key or user, after which anything may have changed.
    #[diesel(sql_type = Bool)]
    unnamed: bool,
    #[diesel(sql_type = Array<Text>)]
    keys: Vec<String>,
    #[diesel(sql_type = Array<Text>)]
    users: Vec<String>,
    #[diesel(sql_type = Array<Text>)]
    servers: Vec<String>,
    #[diesel(sql_type = Array<BigInt>)]
    beats: Vec<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    longest_lease: Option<i64>,
}

/// One statement, so that all values come from one snapshot.
const READ_CHANGE_LOG: &str = "
    SELECT pg_current_snapshot()::text AS snapshot,
        lease.trimmed_before > pg_snapshot_xmin(last.snapshot) AS missed,
        lease.longest_ms AS longest_lease,
        log.unnamed, log.keys, log.users,
        ARRAY(SELECT id::text FROM verifier_servers ORDER BY id) AS servers,
        ARRAY(SELECT beat FROM verifier_servers ORDER BY id) AS beats
    FROM verifier_lease AS lease,
        (SELECT coalesce($1::pg_snapshot, pg_current_snapshot()) AS snapshot) AS last,
        LATERAL (
            SELECT coalesce(bool_or(key_id IS NULL AND user_id IS NULL), false) AS unnamed,
                coalesce(array_agg(key_id) FILTER (WHERE key_id IS NOT NULL), '{}') AS keys,
                coalesce(array_agg(user_id::text) FILTER (WHERE user_id IS NOT NULL), '{}') AS users
            FROM (
                SELECT key_id, user_id FROM verifier_changes
                WHERE xid >= pg_snapshot_xmin(last.snapshot) AND NOT pg_visible_in_snapshot(xid, last.snapshot)
                LIMIT $2
            ) AS since
        ) AS log";

/// Reads the changes since the last read, made by any server or by hand, and the registered servers.
/// None on SQLite, which has one server.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn read_change_log(conn: &mut Conn<'_>, last: Option<&Snapshot>) -> Result<Option<ChangeLogRead>, StoreError> {
    let db = match conn {
        Conn::Sqlite(_) => return Ok(None),
        Conn::Postgres(db) => &mut **db,
    };
    let row: ChangeLogRow = diesel::sql_query(READ_CHANGE_LOG)
        .bind::<Nullable<Text>, _>(last.map(|last| last.0.as_str()))
        .bind::<diesel::sql_types::Integer, _>(MOST_CHANGES + 1)
        .get_result(db)?;
    let nameable =
        last.is_some() && !row.missed && !row.unnamed && row.keys.len() + row.users.len() <= MOST_CHANGES as usize;
    // An invalid id was written by hand, so the changed rows are unknown.
    let keys = row.keys.iter().map(|id| id.parse().ok()).collect::<Option<Vec<KeyId>>>();
    let users = row.users.iter().map(|id| id.parse().ok().map(UserId::from_uuid)).collect::<Option<Vec<UserId>>>();
    let changes = keys.zip(users).map(|(keys, users)| Changes { keys, users, ..Changes::default() });
    let servers = row.servers.iter().filter_map(|id| id.parse().ok()).zip(row.beats).collect();
    Ok(Some(ChangeLogRead {
        snapshot: Snapshot(row.snapshot),
        changes: changes.filter(|_| nameable),
        servers,
        longest_lease: row.longest_lease,
    }))
}

/// Removes the entries of transactions that had ended at this snapshot. Does nothing on SQLite.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub fn trim(tx: &mut Tx<'_>, before: &Snapshot) -> Result<(), StoreError> {
    let db = match tx.conn() {
        Conn::Sqlite(_) => return Ok(()),
        Conn::Postgres(db) => &mut **db,
    };
    let removed = diesel::sql_query("DELETE FROM verifier_changes WHERE xid < pg_snapshot_xmin($1::pg_snapshot)")
        .bind::<Text, _>(&before.0)
        .execute(db)?;
    if removed > 0 {
        // In the same transaction, so that a reader sees either the rows or that they were removed.
        diesel::sql_query(
            "UPDATE verifier_lease SET trimmed_before = greatest(trimmed_before, pg_snapshot_xmin($1::pg_snapshot))",
        )
        .bind::<Text, _>(&before.0)
        .execute(db)?;
    }
    Ok(())
}
