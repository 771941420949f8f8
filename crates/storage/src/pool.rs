//! Pools of connections, and how a connection is opened.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use diesel::connection::{Connection, SimpleConnection, TransactionManager, TransactionManagerStatus};
use diesel::pg::PgConnection;
use diesel::sqlite::SqliteConnection;
use diesel::{QueryResult, RunQueryDsl as _};

use crate::error::StoreError;

/// After this idle time a connection to PostgreSQL is checked before reuse, because the server may have
/// restarted. A check before every use would double the round trips of the shortest use cases.
const HEALTH_CHECK_AFTER: Duration = Duration::from_secs(1);

/// A connection to PostgreSQL that was idle for this long is closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(600);

/// A connection to PostgreSQL of this age is closed when its use ends, so that memory of the server's
/// process is freed, and a changed address of the server is noticed.
const MAX_LIFETIME: Duration = Duration::from_secs(1_800);

/// The settings of each SQLite connection. `busy_timeout` comes first, because the other statements may
/// have to wait for a lock.
const SQLITE_PRAGMAS: &str = "PRAGMA busy_timeout = 5000;
     PRAGMA journal_mode = WAL;
     PRAGMA synchronous = FULL;
     PRAGMA foreign_keys = ON;
     PRAGMA cache_size = -1024;";

/// The settings of each PostgreSQL connection: every wait has a timeout, and a COMMIT returns only when
/// its changes are on disk, whatever the server's default.
const POSTGRES_SETTINGS: &str = "SET statement_timeout = '10s';
     SET lock_timeout = '5s';
     SET idle_in_transaction_session_timeout = '20s';
     SET synchronous_commit = on;
     SET timezone = 'UTC';";

/// Timeouts of a connection to a server that is gone, and the connection's name in `pg_stat_activity`.
/// The network may lose a server without a word, so an idle wait for an answer is probed (keepalives).
const POSTGRES_PARAMETERS: [(&str, &str); 6] = [
    ("connect_timeout", "4"),
    ("tcp_user_timeout", "10000"),
    ("keepalives_idle", "5"),
    ("keepalives_interval", "2"),
    ("keepalives_count", "3"),
    ("application_name", "keyward-server"),
];

/// Opens connections to one database.
pub(crate) trait Database: Send + Sync + 'static {
    type Conn: Connection + Send + 'static;

    fn open(&self) -> Result<Self::Conn, StoreError>;

    /// Whether a connection that has been open and idle for these times may be used again. May ask the
    /// database.
    fn is_usable(&self, conn: &mut Self::Conn, idle: Duration, is_suspect: bool) -> bool;

    /// Whether a connection of this age is kept after a use.
    fn is_kept(&self, age: Duration) -> bool;
}

/// A SQLite file.
#[derive(Clone, Debug)]
pub(crate) struct Sqlite {
    path: PathBuf,
}

impl Sqlite {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }
}

impl Database for Sqlite {
    type Conn = SqliteConnection;

    fn open(&self) -> Result<SqliteConnection, StoreError> {
        let mut conn = SqliteConnection::establish(&self.path.to_string_lossy()).map_err(StoreError::connect)?;
        conn.batch_execute(SQLITE_PRAGMAS).map_err(StoreError::connect)?;
        Ok(conn)
    }

    /// A connection to a file stays usable.
    fn is_usable(&self, _: &mut SqliteConnection, _: Duration, _: bool) -> bool {
        true
    }

    fn is_kept(&self, _: Duration) -> bool {
        true
    }
}

/// A PostgreSQL server.
#[derive(Clone)]
pub(crate) struct Postgres {
    uri: String,
}

impl Postgres {
    /// `uri` may set any parameter of a connection; the others have this program's values.
    pub(crate) fn new(uri: &str) -> Self {
        let mut uri = uri.to_owned();
        for (name, value) in POSTGRES_PARAMETERS {
            if !uri.contains(&format!("{name}=")) {
                uri.push(if uri.contains('?') { '&' } else { '?' });
                uri.push_str(&format!("{name}={value}"));
            }
        }
        Self { uri }
    }

    /// A connection with the server's own settings: waiting for the migration lock may take longer than
    /// this program's statement timeout.
    pub(crate) fn open_plain(&self) -> Result<PgConnection, StoreError> {
        PgConnection::establish(&self.uri).map_err(StoreError::connect)
    }
}

impl Database for Postgres {
    type Conn = PgConnection;

    fn open(&self) -> Result<PgConnection, StoreError> {
        let mut conn = self.open_plain()?;
        conn.batch_execute(POSTGRES_SETTINGS).map_err(StoreError::connect)?;
        Ok(conn)
    }

    fn is_usable(&self, conn: &mut PgConnection, idle: Duration, is_suspect: bool) -> bool {
        idle < IDLE_TIMEOUT && ((idle < HEALTH_CHECK_AFTER && !is_suspect) || ping(conn).is_ok())
    }

    fn is_kept(&self, age: Duration) -> bool {
        age < MAX_LIFETIME
    }
}

/// Asks the database for an answer.
pub(crate) fn ping(conn: &mut impl SimpleConnection) -> QueryResult<()> {
    conn.batch_execute("SELECT 1")
}

/// A connection to a SQLite file outside the pools. It never waits for a lock, because it is used on
/// async worker threads.
pub(crate) fn sqlite_without_wait(path: &Path) -> Result<SqliteConnection, StoreError> {
    let mut conn = Sqlite::new(path).open()?;
    conn.batch_execute("PRAGMA busy_timeout = 0")?;
    Ok(conn)
}

/// The idle connections to a database. The number of connections in use is bounded by the queue in
/// front of the pool.
pub(crate) struct Pool<D: Database> {
    database: D,
    idle: Mutex<Vec<Pooled<D::Conn>>>,
    opened: AtomicU64,
}

/// A connection of a pool.
pub(crate) struct Pooled<C> {
    pub(crate) conn: C,
    /// The number of this connection in its pool, counted from 1.
    pub(crate) number: u64,
    opened: Instant,
    used: Instant,
    is_suspect: bool,
}

impl<D: Database> Pool<D> {
    pub(crate) fn new(database: D) -> Self {
        Self { database, idle: Mutex::default(), opened: AtomicU64::new(0) }
    }

    /// An idle connection, or a new one. Blocks.
    pub(crate) fn take(&self) -> Result<Pooled<D::Conn>, StoreError> {
        loop {
            let idle = self.idle().pop();
            let Some(mut pooled) = idle else { break };
            if self.database.is_usable(&mut pooled.conn, pooled.used.elapsed(), pooled.is_suspect) {
                return Ok(pooled);
            }
        }
        let conn = self.database.open()?;
        let number = self.opened.fetch_add(1, Ordering::Relaxed) + 1;
        let now = Instant::now();
        Ok(Pooled { conn, number, opened: now, used: now, is_suspect: false })
    }

    /// Takes a connection back after a use. `failed` is whether the use returned an error, which may
    /// come from a broken connection.
    pub(crate) fn put(&self, mut pooled: Pooled<D::Conn>, failed: bool) {
        if is_in_transaction(&mut pooled.conn) || !self.database.is_kept(pooled.opened.elapsed()) {
            return;
        }
        pooled.used = Instant::now();
        pooled.is_suspect = failed;
        self.idle().push(pooled);
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Pooled<D::Conn>>> {
        // No code panics while it holds the lock.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a transaction is open on the connection, or its state is unknown after a failed rollback.
fn is_in_transaction<C: Connection>(conn: &mut C) -> bool {
    match C::TransactionManager::transaction_manager_status_mut(conn) {
        TransactionManagerStatus::Valid(status) => status.transaction_depth().is_some(),
        TransactionManagerStatus::InError => true,
    }
}

diesel::define_sql_function! {
    /// The version of the linked SQLite library.
    fn sqlite_version() -> Text;
}

/// Refuses SQLite before 3.51.3, which can corrupt a file when it resets the write-ahead log.
pub(crate) fn check_sqlite_version() -> Result<(), StoreError> {
    let mut conn = SqliteConnection::establish(":memory:").map_err(StoreError::connect)?;
    let version: String = diesel::select(sqlite_version()).get_result(&mut conn)?;
    let parts: Vec<u32> = version.split('.').filter_map(|part| part.parse().ok()).collect();
    if parts.as_slice() >= [3, 51, 3].as_slice() { Ok(()) } else { Err(StoreError::OldSqlite(version)) }
}
