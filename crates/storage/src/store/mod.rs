//! The store opens the database and runs use cases on it.

mod gate;
mod write;

pub use gate::Lane;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use diesel::connection::SimpleConnection;

use crate::conn::Conn;
use crate::error::StoreError;
use crate::file_lock::FileLock;
use crate::health::Health;
use crate::migrate;
use crate::pool::{self, Database as _, Postgres, Sqlite};
use crate::reserve::Reserve;
use crate::url::DatabaseUrl;
use crate::watch::{self, Watch};
use gate::{Gate, PgGates, Pools, SqliteGates, Waits, run};

/// Read connections on SQLite. Writers have one connection, because SQLite allows one at a time.
const SQLITE_READERS: u32 = 4;

/// Connections to PostgreSQL for normal use cases.
const POSTGRES_CONNECTIONS: u32 = 16;

/// Connections reserved for ending keys, so that a revocation works while all others are busy. On
/// SQLite it has its own read connection, and for writing it goes to the head of the writer's queue.
const URGENT_CONNECTIONS: u32 = 1;

/// Connections to PostgreSQL reserved for the change log, so that leases are renewed however busy the
/// server is.
const CHANGE_LOG_CONNECTIONS: u32 = 1;

/// The database of a running server. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    pools: Pools,
    health: Arc<Health>,
    waits: Arc<Waits>,
    _lock: Option<FileLock>,
}

/// Whether servers may use the database at the same time as an operator's command. On PostgreSQL they
/// always may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Servers {
    /// They may.
    Allowed,
    /// They may not: a server on the SQLite file is an error, and none can start meanwhile.
    Excluded,
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
    /// Opens the database for a server and migrates its schema. Blocks; call it before serving.
    ///
    /// # Errors
    /// If the database cannot be reached or migrated, its schema is newer than this program, or another
    /// server uses the SQLite file.
    pub fn open(url: &DatabaseUrl) -> Result<Self, StoreError> {
        match url {
            DatabaseUrl::Sqlite(path) => {
                pool::check_sqlite_version()?;
                let lock = FileLock::take(path)?;
                let mut writer = Sqlite::new(path).open()?;
                migrate::sqlite(&mut writer)?;
                Self::sqlite(path, Some(lock))
            }
            DatabaseUrl::Postgres(uri) => {
                let database = Postgres::new(uri);
                migrate::postgres(&mut database.open_plain()?)?;
                Ok(Self::postgres(database))
            }
        }
    }

    /// Opens a database that a server has created, without migrating it. Blocks.
    ///
    /// # Errors
    /// If there is no database, its schema is not the one of this program, or it cannot be opened.
    pub fn open_existing(url: &DatabaseUrl, servers: Servers) -> Result<Self, StoreError> {
        let missing = || StoreError::NoDatabase(url.to_string());
        match url {
            DatabaseUrl::Sqlite(path) => {
                pool::check_sqlite_version()?;
                if !path.exists() {
                    return Err(missing());
                }
                let lock = (servers == Servers::Excluded).then(|| FileLock::take(path)).transpose()?;
                migrate::require_sqlite(&mut Sqlite::new(path).open()?, missing)?;
                Self::sqlite(path, lock)
            }
            DatabaseUrl::Postgres(uri) => {
                let database = Postgres::new(uri);
                migrate::require_postgres(&mut database.open_plain()?, missing)?;
                Ok(Self::postgres(database))
            }
        }
    }

    fn sqlite(path: &Path, lock: Option<FileLock>) -> Result<Self, StoreError> {
        let (health, waits) = (Health::always_up(), Arc::default());
        let gate = |size| Gate::new(Sqlite::new(path), size, &health, &waits);
        let pools = Pools::Sqlite(Box::new(SqliteGates {
            watch: Watch::new(path)?,
            reserve: Arc::new(Reserve::of(path)),
            inline_reader: Mutex::new(pool::sqlite_without_wait(path)?),
            readers: gate(SQLITE_READERS),
            writer: gate(1),
            urgent_reader: gate(URGENT_CONNECTIONS),
        }));
        Ok(Self { inner: Arc::new(Inner { pools, health, waits, _lock: lock }) })
    }

    fn postgres(database: Postgres) -> Self {
        let (health, waits) = (Health::monitor(database.clone()), Arc::default());
        let gate = |size| Gate::new(database.clone(), size, &health, &waits);
        let pools = Pools::Postgres(PgGates {
            all: gate(POSTGRES_CONNECTIONS),
            urgent: gate(URGENT_CONNECTIONS),
            change_log: gate(CHANGE_LOG_CONNECTIONS),
        });
        Self { inner: Arc::new(Inner { pools, health, waits, _lock: None }) }
    }

    /// Calls `observe` with the time that each use case waits for a connection. Only the first call has an
    /// effect.
    pub fn on_wait(&self, observe: impl Fn(Duration) + Send + Sync + 'static) {
        // A second observer is ignored, as documented.
        let _first = self.inner.waits.observer.set(Box::new(observe));
    }

    /// Whether the database answers, as known from the last attempt to ask it. Always true on SQLite.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.inner.health.is_up()
    }

    /// Runs a use case that changes nothing. It is not a transaction: each statement sees the latest
    /// committed state.
    ///
    /// # Errors
    /// The use case's error, or why it could not run.
    pub async fn read<T, E, F>(&self, lane: Lane, work: F) -> Result<T, E>
    where
        F: FnOnce(&mut Conn<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match &self.inner.pools {
            Pools::Sqlite(gates) => {
                let gate = if lane == Lane::Urgent { &gates.urgent_reader } else { &gates.readers };
                run(gate, lane, move |pooled, _| work(&mut Conn::Sqlite(&mut pooled.conn))).await
            }
            Pools::Postgres(gates) => {
                run(gates.of(lane), lane, move |pooled, _| work(&mut Conn::Postgres(&mut pooled.conn))).await
            }
        }
    }

    /// Runs a lookup by primary key. On SQLite it runs on the calling thread if the connection for it is
    /// free: that takes a few microseconds, less than a switch to another thread, and in WAL mode a
    /// reader waits for no writer. Otherwise it is a [`Store::read`].
    ///
    /// # Errors
    /// The use case's error, or why it could not run.
    pub async fn fetch_facts<T, E, F>(&self, lane: Lane, mut work: F) -> Result<T, E>
    where
        F: FnMut(&mut Conn<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        if let Pools::Sqlite(gates) = &self.inner.pools
            && let Ok(mut conn) = gates.inline_reader.try_lock()
            // After an error, such as a held lock, the read below tries again and may wait.
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

    /// Whether the last result of [`Store::has_external_writes`] is less than 1 ms old, so that no new
    /// check is needed. Always true on PostgreSQL.
    #[must_use]
    pub fn external_check_is_fresh(&self) -> bool {
        match &self.inner.pools {
            Pools::Sqlite(gates) => gates.watch.is_fresh(),
            Pools::Postgres(_) => true,
        }
    }

    /// Whether another program has written to the SQLite file since the last call. Always false on
    /// PostgreSQL. Cheap enough to call before each use of the cache: it checks at most once a
    /// millisecond, which takes a few microseconds.
    ///
    /// # Errors
    /// If the check fails; then assume that another program has written.
    pub async fn has_external_writes(&self) -> Result<bool, StoreError> {
        let Pools::Sqlite(gates) = &self.inner.pools else { return Ok(false) };
        let Some(mut check) = gates.watch.check().await? else { return Ok(false) };
        // Something was committed. This process writes on one connection only, and the data version of
        // that connection changes only when other programs commit.
        let version = run(&gates.writer, Lane::Urgent, |pooled, _| {
            Ok::<_, StoreError>((pooled.number, watch::data_version(&mut pooled.conn)?))
        })
        .await?;
        Ok(check.finish(version))
    }

    /// Whether the database answers and has the schema of this program.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not answer.
    pub async fn is_ready(&self) -> Result<bool, StoreError> {
        self.read(Lane::Normal, |conn| match conn {
            Conn::Sqlite(db) => migrate::sqlite_is_current(db),
            Conn::Postgres(db) => migrate::postgres_is_current(db),
        })
        .await
    }

    /// Runs raw SQL, for tests and benchmarks that act as an operator with direct database access.
    ///
    /// # Errors
    /// The database's error.
    #[doc(hidden)]
    pub async fn execute_raw(&self, sql: String) -> Result<(), StoreError> {
        match &self.inner.pools {
            Pools::Sqlite(gates) => {
                run(&gates.writer, Lane::Normal, move |on, _| Ok(on.conn.batch_execute(&sql)?)).await
            }
            Pools::Postgres(gates) => {
                run(&gates.all, Lane::Normal, move |on, _| Ok(on.conn.batch_execute(&sql)?)).await
            }
        }
    }
}
