//! Migrates the schema. The migrations are embedded in the program.

use diesel::backend::Backend;
use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::migration::{Migration as _, MigrationSource};
use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel::sqlite::{Sqlite, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::error::StoreError;

const SQLITE: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

/// The id of the advisory lock. The number is arbitrary, but every server must use the same one.
const LOCK: i64 = 0x6b65_7977_6172_6401;

/// Removes what the change log has of another cluster, after a dump of it was restored into this one: the
/// transaction ids of another cluster say nothing here, and those that are still to come would look missed
/// to every reader.
const FORGET_ANOTHER_CLUSTER: &str = "
DELETE FROM verifier_changes WHERE xid >= pg_snapshot_xmax(pg_current_snapshot());
UPDATE verifier_lease SET trimmed_before = pg_snapshot_xmin(pg_current_snapshot())
WHERE trimmed_before > pg_snapshot_xmax(pg_current_snapshot());
";

/// The version of this program, for error messages.
const VERSION: &str = concat!("v", env!("CARGO_PKG_VERSION"));

/// Runs pending migrations. No lock is needed: only one server at a time can open a SQLite file.
pub(crate) fn sqlite(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    refuse_newer::<Sqlite>(conn, &SQLITE)?;
    conn.run_pending_migrations(SQLITE).map_err(StoreError::Migrate)?;
    Ok(())
}

/// Runs pending migrations under a lock. Diesel takes no lock, so two servers that start on an empty
/// database at the same time would fail.
pub(crate) fn postgres(conn: &mut PgConnection) -> Result<(), StoreError> {
    conn.batch_execute(&format!("SELECT pg_advisory_lock({LOCK})"))?;
    let done = refuse_newer::<Pg>(conn, &POSTGRES)
        .and_then(|()| conn.run_pending_migrations(POSTGRES).map(drop).map_err(StoreError::Migrate))
        .and_then(|()| Ok(conn.batch_execute(FORGET_ANOTHER_CLUSTER)?));
    conn.batch_execute(&format!("SELECT pg_advisory_unlock({LOCK})"))?;
    done
}

/// Refuses a database that a later version of this program has migrated: this version may not keep the
/// promises of that schema.
fn refuse_newer<DB: Backend>(
    conn: &mut impl MigrationHarness<DB>,
    known: &EmbeddedMigrations,
) -> Result<(), StoreError> {
    let applied = conn.applied_migrations().map_err(StoreError::Migrate)?;
    let known = MigrationSource::<DB>::migrations(known).map_err(StoreError::Migrate)?;
    let known: Vec<String> = known.iter().map(|migration| migration.name().version().to_string()).collect();
    let unknown = applied.into_iter().map(|version| version.to_string()).filter(|version| !known.contains(version));
    let Some(newest) = unknown.max() else { return Ok(()) };
    let known = known.into_iter().max().unwrap_or_default();
    Err(StoreError::NewSchema { newest, known, version: VERSION })
}

/// Fails unless the schema is the one of this program. `missing` is the error for a database without
/// any.
pub(crate) fn require_sqlite(
    conn: &mut SqliteConnection,
    missing: impl FnOnce() -> StoreError,
) -> Result<(), StoreError> {
    let any: Option<String> = sqlite_master::table
        .filter(sqlite_master::name.eq("api_keys"))
        .select(sqlite_master::name)
        .get_result(conn)
        .optional()?;
    require::<Sqlite>(conn, SQLITE, any.is_some(), missing)
}

/// Fails unless the schema is the one of this program. `missing` is the error for a database without
/// any.
pub(crate) fn require_postgres(
    conn: &mut PgConnection,
    missing: impl FnOnce() -> StoreError,
) -> Result<(), StoreError> {
    let any: bool = diesel::select(sql::<Bool>("to_regclass('api_keys') IS NOT NULL")).get_result(conn)?;
    require::<Pg>(conn, POSTGRES, any, missing)
}

fn require<DB: Backend>(
    conn: &mut impl MigrationHarness<DB>,
    known: EmbeddedMigrations,
    any: bool,
    missing: impl FnOnce() -> StoreError,
) -> Result<(), StoreError> {
    // Asking for the migrations creates the table that lists them, so this comes first.
    if !any {
        return Err(missing());
    }
    refuse_newer::<DB>(conn, &known)?;
    match conn.has_pending_migration(known).map_err(StoreError::Migrate)? {
        false => Ok(()),
        true => Err(StoreError::OldSchema(VERSION)),
    }
}

diesel::table! {
    sqlite_master (name) {
        name -> Text,
    }
}

/// Whether no migration is pending.
pub(crate) fn sqlite_is_current(conn: &mut SqliteConnection) -> Result<bool, StoreError> {
    conn.has_pending_migration(SQLITE).map(|pending| !pending).map_err(StoreError::Migrate)
}

/// Whether no migration is pending.
pub(crate) fn postgres_is_current(conn: &mut PgConnection) -> Result<bool, StoreError> {
    conn.has_pending_migration(POSTGRES).map(|pending| !pending).map_err(StoreError::Migrate)
}
