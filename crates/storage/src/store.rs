//! The store: opens the database, and runs use cases on it.

use std::sync::{Arc, Mutex};

use diesel::SqliteConnection;
use diesel::connection::{Connection, SimpleConnection};
use diesel::r2d2::{Pool, PooledConnection, R2D2Connection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::conn::Conn;
use crate::error::StoreError;
use crate::migrate;
use crate::pool::{self, FileLock, Manager, PgPool, SqlitePool};
use crate::url::DatabaseUrl;
use crate::watch::{self, Watch};

/// Readers at once on SQLite. Its writers take turns anyway, so they have one connection.
const SQLITE_READERS: u32 = 4;

/// Connections to PostgreSQL for everything but ending keys.
const POSTGRES_CONNECTIONS: u32 = 16;

/// Connections that only ending a key may use: when one needs to revoke, all others are busy. On
/// SQLite, where there is one writer anyway, it reads on its own and goes to the head of the queue.
const URGENT_CONNECTIONS: u32 = 1;

/// Connections to PostgreSQL that only the log of changes is read on: leases are renewed however
/// busy the server is.
const NEWS_CONNECTIONS: u32 = 1;

/// Which queue a use case stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// With all others.
    Normal,
    /// Past all others, for ending keys.
    Urgent,
    /// What embedded verifiers must be told. On SQLite there is no such thing to read, and this is
    /// the same as [`Lane::Normal`].
    ChangeLog,
}

/// The database of a running server. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    pools: Pools,
    _lock: Option<FileLock>,
}

enum Pools {
    Sqlite(Box<SqliteGates>),
    Postgres(PgGates),
}

struct SqliteGates {
    readers: Gate<SqlitePool>,
    urgent_reader: Gate<SqlitePool>,
    writer: Gate<SqlitePool>,
    watch: Watch,
    /// For [`Store::look_up`].
    at_hand: Mutex<SqliteConnection>,
}

struct PgGates {
    all: Gate<PgPool>,
    urgent: Gate<PgPool>,
    news: Gate<PgPool>,
}

impl PgGates {
    fn of(&self, lane: Lane) -> &Gate<PgPool> {
        match lane {
            Lane::Normal => &self.all,
            Lane::Urgent => &self.urgent,
            Lane::ChangeLog => &self.news,
        }
    }
}

/// A pool, and a queue before it, so that no thread is taken up by waiting.
struct Gate<P> {
    pool: P,
    places: Arc<Semaphore>,
    /// Held by the one normal use case that is next; urgent ones do not stand in this queue.
    next: Arc<Semaphore>,
}

impl<P: Clone> Gate<P> {
    fn new(pool: P, places: u32) -> Self {
        Self { pool, places: Arc::new(Semaphore::new(places as usize)), next: Arc::new(Semaphore::new(1)) }
    }

    async fn enter(&self, lane: Lane) -> Result<(P, OwnedSemaphorePermit), StoreError> {
        let enter = async {
            let _next = match lane {
                Lane::Normal | Lane::ChangeLog => Some(self.next.acquire().await?),
                Lane::Urgent => None,
            };
            Arc::clone(&self.places).acquire_owned().await
        };
        match tokio::time::timeout(pool::WAIT, enter).await {
            Ok(Ok(place)) => Ok((self.pool.clone(), place)),
            // The semaphores are never closed; a closed one would mean the same.
            Ok(Err(_)) | Err(_) => Err(StoreError::Busy(pool::WAIT.as_secs())),
        }
    }
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
                    news: gate(NEWS_CONNECTIONS)?,
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
    pub async fn look_up<T, E, F>(&self, lane: Lane, mut work: F) -> Result<T, E>
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

    /// Runs a use case as one transaction: all of it happens, on disk, or none.
    ///
    /// `afterwards` runs on the same thread as soon as the transaction has ended, however it ended:
    /// a request that is given up cannot come between the commit and it.
    ///
    /// # Errors
    /// What the use case says, or why it could not be run; then nothing has changed, unless the
    /// connection was lost during the commit.
    pub async fn write<T, E, F, A>(&self, lane: Lane, work: F, afterwards: A) -> Result<T, E>
    where
        F: FnOnce(&mut Conn<'_>) -> Result<T, E> + Send + 'static,
        A: FnOnce() + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match &self.inner.pools {
            Pools::Sqlite(gates) => {
                // Immediate: a deferred one that reads first fails at once when it comes to write.
                run(&gates.writer, lane, move |conn| {
                    let _afterwards = Afterwards(Some(afterwards));
                    conn.immediate_transaction(|conn| work(&mut Conn::Sqlite(conn)).map_err(Abort::UseCase))
                        .map_err(Abort::into_error)
                })
                .await
            }
            Pools::Postgres(gates) => {
                run(gates.of(lane), lane, move |conn| {
                    let _afterwards = Afterwards(Some(afterwards));
                    conn.transaction(|conn| work(&mut Conn::Postgres(conn)).map_err(Abort::UseCase))
                        .map_err(Abort::into_error)
                })
                .await
            }
        }
    }

    /// Is this process the only server on the database? Then what it remembers is exact, but for
    /// what other programs change; [`Store::has_external_writes`] tells of that.
    #[must_use]
    pub fn is_exclusive(&self) -> bool {
        matches!(self.inner.pools, Pools::Sqlite(_))
    }

    /// Was [`Store::has_external_writes`] answered a moment ago, so that it need not be asked again?
    /// On PostgreSQL it need never be.
    #[must_use]
    pub fn external_check_is_fresh(&self) -> bool {
        match &self.inner.pools {
            Pools::Sqlite(gates) => gates.watch.holds(),
            Pools::Postgres(_) => true,
        }
    }

    /// Has another program changed the SQLite file since this was asked last? Never on PostgreSQL.
    /// Cheap enough to be asked before each use of what is remembered: it looks at most once a
    /// millisecond, and then for some microseconds.
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

/// Runs when the transaction has ended, also if it panicked.
struct Afterwards<A: FnOnce()>(Option<A>);

impl<A: FnOnce()> Drop for Afterwards<A> {
    fn drop(&mut self) {
        if let Some(afterwards) = self.0.take() {
            afterwards();
        }
    }
}

/// Why a transaction is undone: the use case said so, or the database.
enum Abort<E> {
    UseCase(E),
    Database(diesel::result::Error),
}

impl<E> From<diesel::result::Error> for Abort<E> {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error)
    }
}

impl<E: From<StoreError>> Abort<E> {
    fn into_error(self) -> E {
        match self {
            Self::UseCase(error) => error,
            Self::Database(error) => E::from(error.into()),
        }
    }
}

async fn run<C, T, E, F>(gate: &Gate<Pool<Manager<C>>>, lane: Lane, work: F) -> Result<T, E>
where
    C: R2D2Connection + 'static,
    F: FnOnce(&mut C) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    let (pool, place) = gate.enter(lane).await?;
    let job = tokio::task::spawn_blocking(move || {
        let _place = place;
        let mut conn = checkout(&pool)?;
        let done = work(&mut **conn);
        if done.is_err() {
            // Most errors are not the connection's fault, but some are.
            conn.suspect();
        }
        done
    });
    job.await.map_err(StoreError::Stopped)?
}

fn checkout<C: R2D2Connection + 'static>(pool: &Pool<Manager<C>>) -> Result<PooledConnection<Manager<C>>, StoreError> {
    pool.get().map_err(|error| StoreError::Connect(Box::new(error)))
}
