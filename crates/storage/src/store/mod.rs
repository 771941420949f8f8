//! The store: opens the database, and runs use cases on it.

mod gate;
mod write;

pub use gate::Lane;

use std::sync::{Arc, Mutex};

use diesel::connection::{Connection, SimpleConnection};

use crate::conn::Conn;
use crate::error::StoreError;
use crate::migrate;
use crate::pool::{self, FileLock};
use crate::url::DatabaseUrl;
use crate::watch::{self, Watch};
use gate::{Gate, PgGates, Pools, SqliteGates, checkout, run};

/// Readers at once on SQLite. Its writers take turns anyway, so they have one connection.
const SQLITE_READERS: u32 = 4;

/// Connections to PostgreSQL for everything but ending keys.
const POSTGRES_CONNECTIONS: u32 = 16;

/// Connections that only ending a key may use: when one needs to revoke, all others are busy. On
/// SQLite, where there is one writer anyway, it reads on its own and goes to the head of the queue.
const URGENT_CONNECTIONS: u32 = 1;

/// Connections to PostgreSQL that only the log of changes is read on: leases are renewed however
/// busy the server is.
const CHANGE_LOG_CONNECTIONS: u32 = 1;

/// The database of a running server. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    pools: Pools,
    _lock: Option<FileLock>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.inner.pools {
            Pools::Sqlite(_) => "Store(SQLite)",
            Pools::Postgres(_) => "Store(PostgreSQL)",
        })
    }
}

impl Store {
    /// Opens the database and brings its schema up to date. Blocks; call it before serving.
    ///
    /// # Errors
    /// When the database cannot be reached or migrated, or another server has the SQLite file.
    pub fn open(url: &DatabaseUrl) -> Result<Self, StoreError> {
        match url {
            DatabaseUrl::Sqlite(path) => {
                pool::check_sqlite_version()?;
                let lock = FileLock::take(path)?;
                let writer = pool::sqlite(path, 1)?;
                migrate::sqlite(&mut **checkout(&writer)?)?;
                let watch = Watch::new(path)?;
                let pools = Pools::Sqlite(Box::new(SqliteGates {
                    watch,
                    at_hand: Mutex::new(pool::sqlite_at_hand(path)?),
                    readers: Gate::new(pool::sqlite(path, SQLITE_READERS)?, SQLITE_READERS),
                    writer: Gate::new(writer, 1),
                    urgent_reader: Gate::new(pool::sqlite(path, URGENT_CONNECTIONS)?, URGENT_CONNECTIONS),
                }));
                Ok(Self { inner: Arc::new(Inner { pools, _lock: Some(lock) }) })
            }
            DatabaseUrl::Postgres(uri) => {
                // The lock of the migrations may be waited for longer than a statement may take,
                // so they run on a connection without the pool's limits.
                let mut conn = diesel::PgConnection::establish(&pool::bounded(uri))
                    .map_err(|error| StoreError::Connect(Box::new(error)))?;
                migrate::postgres(&mut conn)?;
                let gate = |size| Ok::<_, StoreError>(Gate::new(pool::postgres(uri, size)?, size));
                let gates = PgGates {
                    all: gate(POSTGRES_CONNECTIONS)?,
                    urgent: gate(URGENT_CONNECTIONS)?,
                    change_log: gate(CHANGE_LOG_CONNECTIONS)?,
                };
                Ok(Self { inner: Arc::new(Inner { pools: Pools::Postgres(gates), _lock: None }) })
            }
        }
    }

    /// Runs a use case that changes nothing. Each statement sees the state of its own moment.
    ///
    /// # Errors
    /// What the use case says, or why it could not be run.
    pub async fn read<T, E, F>(&self, lane: Lane, work: F) -> Result<T, E>
    where
        F: FnOnce(&mut Conn<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match &self.inner.pools {
            Pools::Sqlite(gates) => {
                let gate = if lane == Lane::Urgent { &gates.urgent_reader } else { &gates.readers };
                run(gate, lane, move |conn| work(&mut Conn::Sqlite(conn))).await
            }
            Pools::Postgres(gates) => run(gates.of(lane), lane, move |conn| work(&mut Conn::Postgres(conn))).await,
        }
    }

    /// Finds a row by its key. On SQLite this is done on the thread that asks, if the connection for
    /// it is free: it takes some microseconds, fewer than handing it to another thread, and in WAL
    /// mode it waits for no writer. In all other cases it is a [`Store::read`].
    ///
    /// # Errors
    /// What the use case says, or why it could not be run.
    pub async fn fetch_facts<T, E, F>(&self, lane: Lane, mut work: F) -> Result<T, E>
    where
        F: FnMut(&mut Conn<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        if let Pools::Sqlite(gates) = &self.inner.pools
            && let Ok(mut conn) = gates.at_hand.try_lock()
            // An error, such as a lock that is held, is not the last word: the other way can wait.
            && let Ok(found) = work(&mut Conn::Sqlite(&mut conn))
        {
            return Ok(found);
        }
        self.read(lane, move |conn| work(conn)).await
    }

    /// Whether this is the only server on the database. If so, its cache is exact, except for the
    /// writes of other programs, which [`Store::has_external_writes`] finds.
    #[must_use]
    pub fn is_exclusive(&self) -> bool {
        matches!(self.inner.pools, Pools::Sqlite(_))
    }

    /// Whether [`Store::has_external_writes`] was answered less than a millisecond ago, so that it need
    /// not be asked again. Always on PostgreSQL.
    #[must_use]
    pub fn external_check_is_fresh(&self) -> bool {
        match &self.inner.pools {
            Pools::Sqlite(gates) => gates.watch.holds(),
            Pools::Postgres(_) => true,
        }
    }

    /// Whether another program has written to the SQLite file since the last call. Never on
    /// PostgreSQL. It is cheap enough to be asked before each use of the cache: it looks at most once
    /// a millisecond, and then for some microseconds.
    ///
    /// # Errors
    /// When it cannot be told; then it may have.
    pub async fn has_external_writes(&self) -> Result<bool, StoreError> {
        let Pools::Sqlite(gates) = &self.inner.pools else { return Ok(false) };
        let Some(mut look) = gates.watch.look().await? else { return Ok(false) };
        // Something was committed. All that this process writes it writes on one connection, which
        // SQLite tells of everyone else's commits only.
        let version = run(&gates.writer, Lane::Urgent, watch::data_version).await?;
        Ok(look.settle(version))
    }

    /// Does the database answer, with the schema this program needs?
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn is_ready(&self) -> Result<bool, StoreError> {
        self.read(Lane::Normal, |conn| match conn {
            Conn::Sqlite(db) => migrate::sqlite_is_current(db),
            Conn::Postgres(db) => migrate::postgres_is_current(db),
        })
        .await
    }

    /// Runs SQL as it is, for tests and benches that stand for an operator at the database.
    ///
    /// # Errors
    /// What the database says.
    #[doc(hidden)]
    pub async fn execute_raw(&self, sql: String) -> Result<(), StoreError> {
        match &self.inner.pools {
            Pools::Sqlite(gates) => run(&gates.writer, Lane::Normal, move |conn| Ok(conn.batch_execute(&sql)?)).await,
            Pools::Postgres(gates) => run(&gates.all, Lane::Normal, move |conn| Ok(conn.batch_execute(&sql)?)).await,
        }
    }
}
