//! Connection pools: their size, the settings of each connection, and timeouts.

use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::r2d2::{
    ConnectionManager, CustomizeConnection, Error as PoolError, ManageConnection, Pool, R2D2Connection,
};
use diesel::sqlite::SqliteConnection;
use diesel::{Connection as _, RunQueryDsl as _};

use crate::error::StoreError;

/// How long a use case waits for a connection before it fails.
pub(crate) const WAIT: Duration = Duration::from_secs(5);

pub(crate) type SqlitePool = Pool<Manager<SqliteConnection>>;
pub(crate) type PgPool = Pool<Manager<PgConnection>>;

/// After this idle time a connection is checked before reuse, because the server may have
/// restarted. A check before every use would double the round trips of the shortest use cases.
const HEALTH_CHECK_AFTER: Duration = Duration::from_secs(1);

/// Opens connections and checks idle ones.
pub(crate) struct Manager<C> {
    inner: ConnectionManager<C>,
}

/// A connection, and the time of its last successful use; none after an error.
pub(crate) struct Used<C> {
    conn: C,
    at: Option<Instant>,
}

impl<C> Used<C> {
    /// Marks the connection as possibly dead, so that it is checked before its next use.
    pub(crate) fn mark_suspect(&mut self) {
        self.at = None;
    }
}

impl<C> Deref for Used<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.conn
    }
}

impl<C> DerefMut for Used<C> {
    fn deref_mut(&mut self) -> &mut C {
        &mut self.conn
    }
}

impl<C: R2D2Connection + 'static> ManageConnection for Manager<C> {
    type Connection = Used<C>;
    type Error = PoolError;

    fn connect(&self) -> Result<Used<C>, PoolError> {
        Ok(Used { conn: self.inner.connect()?, at: Some(Instant::now()) })
    }

    fn is_valid(&self, used: &mut Used<C>) -> Result<(), PoolError> {
        if used.at.is_none_or(|at| at.elapsed() > HEALTH_CHECK_AFTER) {
            self.inner.is_valid(&mut used.conn)?;
        }
        used.at = Some(Instant::now());
        Ok(())
    }

    fn has_broken(&self, used: &mut Used<C>) -> bool {
        self.inner.has_broken(&mut used.conn)
    }
}

/// Sets up each new SQLite connection. `busy_timeout` comes first, because the other statements may
/// have to wait for a lock.
#[derive(Debug)]
struct SqlitePragmas;

const SQLITE_PRAGMAS: &str = "PRAGMA busy_timeout = 5000;
     PRAGMA journal_mode = WAL;
     PRAGMA synchronous = FULL;
     PRAGMA foreign_keys = ON;
     PRAGMA cache_size = -1024;";

impl CustomizeConnection<Used<SqliteConnection>, PoolError> for SqlitePragmas {
    fn on_acquire(&self, conn: &mut Used<SqliteConnection>) -> Result<(), PoolError> {
        conn.batch_execute(SQLITE_PRAGMAS).map_err(PoolError::QueryError)
    }
}

/// Sets up each new PostgreSQL connection: every wait has a timeout, and a COMMIT returns only when
/// its changes are on disk, whatever the server's default.
#[derive(Debug)]
struct PostgresSettings;

impl CustomizeConnection<Used<PgConnection>, PoolError> for PostgresSettings {
    fn on_acquire(&self, conn: &mut Used<PgConnection>) -> Result<(), PoolError> {
        conn.batch_execute(
            "SET statement_timeout = '10s';
             SET lock_timeout = '5s';
             SET idle_in_transaction_session_timeout = '20s';
             SET synchronous_commit = on;
             SET timezone = 'UTC';",
        )
        .map_err(PoolError::QueryError)
    }
}

/// A pool of at most `size` connections to the file, opened on demand.
pub(crate) fn sqlite(path: &Path, size: u32) -> Result<SqlitePool, StoreError> {
    let path = path.to_string_lossy();
    build(ConnectionManager::new(path.as_ref()), Box::new(SqlitePragmas), size, Upkeep::Keep)
}

/// A connection to the file outside the pools. It never waits for a lock, because it is used on async
/// worker threads.
pub(crate) fn sqlite_without_wait(path: &Path) -> Result<SqliteConnection, StoreError> {
    let mut conn =
        SqliteConnection::establish(&path.to_string_lossy()).map_err(|error| StoreError::Connect(Box::new(error)))?;
    conn.batch_execute(SQLITE_PRAGMAS)?;
    conn.batch_execute("PRAGMA busy_timeout = 0")?;
    Ok(conn)
}

/// A connection to the server outside the pools. It has no statement timeout, because waiting for the
/// migration lock may take longer.
pub(crate) fn postgres_without_timeouts(uri: &str) -> Result<PgConnection, StoreError> {
    PgConnection::establish(&with_timeouts(uri)).map_err(|error| StoreError::Connect(Box::new(error)))
}

/// A pool of at most `size` connections to the server, opened on demand.
pub(crate) fn postgres(uri: &str, size: u32) -> Result<PgPool, StoreError> {
    build(ConnectionManager::new(with_timeouts(uri)), Box::new(PostgresSettings), size, Upkeep::Replace)
}

/// How a pool maintains its connections.
#[derive(Clone, Copy, Debug)]
enum Upkeep {
    /// It keeps them, however old or idle, unless one breaks. On SQLite, [`Watch`](crate::watch::Watch) compares the data
    /// versions that one connection reads; a new connection counts from the start, and could hide a
    /// commit of another program.
    Keep,
    /// It tests each before use, and replaces idle and old ones after r2d2's default times.
    Replace,
}

fn build<C: R2D2Connection + 'static>(
    inner: ConnectionManager<C>,
    setup: Box<dyn CustomizeConnection<Used<C>, PoolError>>,
    size: u32,
    upkeep: Upkeep,
) -> Result<Pool<Manager<C>>, StoreError> {
    let builder = match upkeep {
        Upkeep::Keep => Pool::builder().max_lifetime(None).idle_timeout(None).test_on_check_out(false),
        Upkeep::Replace => Pool::builder().test_on_check_out(true),
    };
    builder
        .max_size(size)
        .min_idle(Some(1))
        .connection_timeout(WAIT)
        .connection_customizer(setup)
        .build(Manager { inner })
        .map_err(|error| StoreError::Connect(Box::new(error)))
}

/// Adds timeouts for a dead server, and an application name, unless the URI sets its own.
pub(crate) fn with_timeouts(uri: &str) -> String {
    let mut uri = uri.to_owned();
    for (name, value) in
        [("connect_timeout", "5"), ("tcp_user_timeout", "10000"), ("application_name", "keyward-server")]
    {
        if !uri.contains(name) {
            uri.push(if uri.contains('?') { '&' } else { '?' });
            uri.push_str(&format!("{name}={value}"));
        }
    }
    uri
}

diesel::define_sql_function! {
    /// The version of the linked SQLite library.
    fn sqlite_version() -> Text;
}

/// Refuses SQLite before 3.51.3, which can corrupt a file when it resets the write-ahead log.
pub(crate) fn check_sqlite_version() -> Result<(), StoreError> {
    let mut conn = SqliteConnection::establish(":memory:").map_err(|error| StoreError::Connect(Box::new(error)))?;
    let version: String = diesel::select(sqlite_version()).get_result(&mut conn)?;
    let parts: Vec<u32> = version.split('.').filter_map(|part| part.parse().ok()).collect();
    if parts.as_slice() >= [3, 51, 3].as_slice() { Ok(()) } else { Err(StoreError::OldSqlite(version)) }
}

/// The lock that a server holds on its SQLite file. The operating system releases it when the process
/// ends.
///
/// It is a `flock` on the database file itself, so it works for every path to the file. SQLite uses
/// other locks, so other programs may read and write the file meanwhile.
#[derive(Debug)]
pub(crate) struct FileLock {
    _file: File,
}

impl FileLock {
    /// Takes the lock, or returns the process id of its holder. A missing file is created with mode
    /// 0600: SQLite would apply the umask, and it copies the file's mode to the log and its index.
    pub(crate) fn take(database: &Path) -> Result<Self, StoreError> {
        let file = open_private(database)?;
        let holder = PathBuf::from(format!("{}.pid", database.canonicalize().map_err(failed(database))?.display()));
        match file.try_lock() {
            Ok(()) => {
                let mut note = open_private(&holder)?;
                note.set_len(0).map_err(failed(&holder))?;
                write!(note, "{}", std::process::id()).map_err(failed(&holder))?;
                Ok(Self { _file: file })
            }
            Err(TryLockError::WouldBlock) => {
                // If the database is opened through a hard link, the note has another name and the
                // process id is unknown.
                let pid = std::fs::read_to_string(&holder).unwrap_or_else(|_unreadable| "unknown".to_owned());
                let file = database.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
                Err(StoreError::InUse { file, pid })
            }
            Err(TryLockError::Error(source)) => Err(failed(database)(source)),
        }
    }
}

fn open_private(path: &Path) -> Result<File, StoreError> {
    let options = File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    options.map_err(failed(path))
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> StoreError {
    let path = path.display().to_string();
    |source| StoreError::File { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_connections_are_not_replaced_by_age() {
        let database = keyward_test_database::TestDatabase::create(keyward_test_database::Backend::Sqlite).unwrap();
        let pool = sqlite(&database.directory().join("pool.db"), 1).unwrap();
        assert_eq!((pool.max_lifetime(), pool.idle_timeout()), (None, None));
    }
}
