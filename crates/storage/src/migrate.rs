//! Migrates the schema. The migrations are embedded in the program.

use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::sqlite::SqliteConnection;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::error::StoreError;

const SQLITE: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

/// The id of the advisory lock. The number is arbitrary, but every server must use the same one.
const LOCK: i64 = 0x6b65_7977_6172_6401;

/// Runs pending migrations. No lock is needed: only one server at a time can open a SQLite file.
pub(crate) fn sqlite(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    conn.run_pending_migrations(SQLITE).map_err(StoreError::Migrate)?;
    Ok(())
}

/// Runs pending migrations under a lock. Diesel takes no lock, so two servers that start on an empty
/// database at the same time would fail.
pub(crate) fn postgres(conn: &mut PgConnection) -> Result<(), StoreError> {
    conn.batch_execute(&format!("SELECT pg_advisory_lock({LOCK})"))?;
    let done = conn.run_pending_migrations(POSTGRES).map(drop).map_err(StoreError::Migrate);
    conn.batch_execute(&format!("SELECT pg_advisory_unlock({LOCK})"))?;
    done
}

/// Whether no migration is pending.
pub(crate) fn sqlite_is_current(conn: &mut SqliteConnection) -> Result<bool, StoreError> {
    conn.has_pending_migration(SQLITE).map(|pending| !pending).map_err(StoreError::Migrate)
}

/// Whether no migration is pending.
pub(crate) fn postgres_is_current(conn: &mut PgConnection) -> Result<bool, StoreError> {
    conn.has_pending_migration(POSTGRES).map(|pending| !pending).map_err(StoreError::Migrate)
}
