//! Queues in front of the connection pools, and how a use case runs on a connection.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use diesel::SqliteConnection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::deadline;
use crate::error::StoreError;
use crate::health::Health;
use crate::pool::{Database, Pool, Pooled, Postgres, Sqlite};
use crate::reserve::Reserve;
use crate::watch::Watch;

/// The queue that a use case waits in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// The queue of all other use cases.
    Normal,
    /// A queue that bypasses the others, for ending keys.
    Urgent,
    /// For the change log. SQLite has no change log, so there this is the same as [`Lane::Normal`].
    ChangeLog,
}

pub(super) enum Pools {
    Sqlite(Box<SqliteGates>),
    Postgres(PgGates),
}

pub(super) struct SqliteGates {
    pub(super) readers: Gate<Sqlite>,
    pub(super) urgent_reader: Gate<Sqlite>,
    pub(super) writer: Gate<Sqlite>,
    pub(super) watch: Watch,
    pub(super) reserve: Arc<Reserve>,
    /// For [`Store::fetch_facts`](super::Store::fetch_facts).
    pub(super) inline_reader: Mutex<SqliteConnection>,
}

pub(super) struct PgGates {
    pub(super) all: Gate<Postgres>,
    pub(super) urgent: Gate<Postgres>,
    pub(super) change_log: Gate<Postgres>,
}

impl PgGates {
    pub(super) fn of(&self, lane: Lane) -> &Gate<Postgres> {
        match lane {
            Lane::Normal => &self.all,
            Lane::Urgent => &self.urgent,
            Lane::ChangeLog => &self.change_log,
        }
    }
}

/// A pool with a queue, so that waiting does not block a thread.
pub(super) struct Gate<D: Database> {
    database: D,
    size: u32,
    health: Arc<Health>,
    waits: Arc<Waits>,
    current: Mutex<Arc<Queue<D>>>,
}

type Observer = Box<dyn Fn(Duration) + Send + Sync>;

/// Who is told how long use cases wait for a connection.
#[derive(Default)]
pub(super) struct Waits {
    pub(super) observer: OnceLock<Observer>,
}

/// A pool and the queue in front of it. When the database goes down, a gate abandons both with the
/// threads and connections that wait for an answer, and begins with new ones.
pub(super) struct Queue<D: Database> {
    /// [`Health::downs`] when this queue began.
    downs: u64,
    pool: Pool<D>,
    permits: Arc<Semaphore>,
    /// Held by the first normal use case in the queue. Urgent use cases skip this queue.
    next: Semaphore,
}

impl<D: Database + Clone> Gate<D> {
    /// A gate with at most `size` connections at a time, which are opened on demand.
    pub(super) fn new(database: D, size: u32, health: &Arc<Health>, waits: &Arc<Waits>) -> Self {
        let queue = Arc::new(Queue::new(database.clone(), size, health.downs()));
        Self { database, size, health: Arc::clone(health), waits: Arc::clone(waits), current: Mutex::new(queue) }
    }

    fn queue(&self) -> Arc<Queue<D>> {
        // No code panics while it holds the lock.
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let downs = self.health.downs();
        if current.downs != downs {
            *current = Arc::new(Queue::new(self.database.clone(), self.size, downs));
        }
        Arc::clone(&current)
    }

    async fn enter(&self, lane: Lane, deadline: Instant) -> Result<(Arc<Queue<D>>, OwnedSemaphorePermit), StoreError> {
        if !self.health.is_up() {
            return Err(StoreError::Down);
        }
        let queue = self.queue();
        let enter = async {
            let _next = match lane {
                Lane::Normal | Lane::ChangeLog => Some(queue.next.acquire().await),
                Lane::Urgent => None,
            };
            Arc::clone(&queue.permits).acquire_owned().await
        };
        let permit = tokio::select! {
            biased;
            permit = enter => permit,
            () = self.health.down() => return Err(StoreError::Down),
            () = tokio::time::sleep_until(deadline) => return Err(StoreError::Busy),
        };
        // The semaphores are never closed.
        permit.map(|permit| (queue, permit)).map_err(|_closed| StoreError::Busy)
    }
}

impl<D: Database> Queue<D> {
    fn new(database: D, size: u32, downs: u64) -> Self {
        let permits = Arc::new(Semaphore::new(size as usize));
        Self { downs, pool: Pool::new(database), permits, next: Semaphore::new(1) }
    }
}

/// How far a use case has come, shared by its thread and the request that waits for it.
#[derive(Debug, Default)]
pub(super) struct Progress {
    state: AtomicU8,
}

/// The COMMIT has not been sent.
const WORKING: u8 = 0;
/// The COMMIT may have been sent.
const COMMITTING: u8 = 1;
/// The request has given up, so there will be no COMMIT.
const ABANDONED: u8 = 2;

impl Progress {
    /// Whether the COMMIT may be sent. If not, the request has been told that nothing changed.
    pub(super) fn may_commit(&self) -> bool {
        self.state.compare_exchange(WORKING, COMMITTING, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Gives up. Returns whether the use case will change nothing.
    fn abandon(&self) -> bool {
        match self.state.compare_exchange(WORKING, ABANDONED, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => true,
            Err(state) => state == ABANDONED,
        }
    }
}

/// Runs a use case on a blocking thread with a connection from the gate's pool. The thread may wait for
/// the database for ever; the caller waits until its deadline, or until the database is down.
pub(super) async fn run<D, T, E, F>(gate: &Gate<D>, lane: Lane, work: F) -> Result<T, E>
where
    D: Database + Clone,
    F: FnOnce(&mut Pooled<D::Conn>, &Progress) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    let deadline = deadline::current();
    let began = Instant::now();
    let (queue, permit) = gate.enter(lane, deadline).await?;
    if let Some(observe) = gate.waits.observer.get() {
        observe(began.elapsed());
    }
    let progress = Arc::new(Progress::default());
    let shared = Arc::clone(&progress);
    let job = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let mut pooled = queue.pool.take()?;
        let done = work(&mut pooled, &shared);
        queue.pool.put(pooled, done.is_err());
        done
    });
    let given_up = tokio::select! {
        biased;
        done = timeout_at(deadline, job) => match done {
            Ok(done) => return done.map_err(StoreError::Stopped)?,
            Err(_elapsed) => StoreError::TooSlow,
        },
        () = gate.health.down() => StoreError::Down,
    };
    Err(if progress.abandon() { given_up } else { StoreError::OutcomeUnknown(None) }.into())
}
