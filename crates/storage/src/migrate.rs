//! Brings the schema up to date. The migrations are part of the program.

use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::sqlite::SqliteConnection;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::error::StoreError;

const SQLITE: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

/// Any number will do, as long as every server asks for the same.
const LOCK: i64 = 0x6b65_7977_6172_6401;

/// Only one server at a time has a SQLite file, so no lock is needed.
pub(crate) fn sqlite(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    conn.run_pending_migrations(SQLITE).map_err(StoreError::Migrate)?;
    Ok(())
}

/// Under a lock: diesel takes none, and two servers that start on an empty database would collide.
pub(crate) fn postgres(conn: &mut PgConnection) -> Result<(), StoreError> {
    conn.batch_execute(&format!("SELECT pg_advisory_lock({LOCK})"))?;
    let done = conn.run_pending_migrations(POSTGRES).map(drop).map_err(StoreError::Migrate);
    conn.batch_execute(&format!("SELECT pg_advisory_unlock({LOCK})"))?;
    done
}

/// Is there nothing left to do?
pub(crate) fn sqlite_is_current(conn: &mut SqliteConnection) -> Result<bool, StoreError> {
    conn.has_pending_migration(SQLITE).map(|pending| !pending).map_err(StoreError::Migrate)
}

/// Is there nothing left to do?
pub(crate) fn postgres_is_current(conn: &mut PgConnection) -> Result<bool, StoreError> {
    conn.has_pending_migration(POSTGRES).map(|pending| !pending).map_err(StoreError::Migrate)
}
