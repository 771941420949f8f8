//! Queues in front of the connection pools.

use std::sync::{Arc, Mutex};

use diesel::SqliteConnection;
use diesel::r2d2::{Pool, PooledConnection, R2D2Connection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::StoreError;
use crate::pool::{self, Manager, PgPool, SqlitePool};
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
    pub(super) readers: Gate<SqlitePool>,
    pub(super) urgent_reader: Gate<SqlitePool>,
    pub(super) writer: Gate<SqlitePool>,
    pub(super) watch: Watch,
    /// For [`Store::fetch_facts`](super::Store::fetch_facts).
    pub(super) inline_reader: Mutex<SqliteConnection>,
}

pub(super) struct PgGates {
    pub(super) all: Gate<PgPool>,
    pub(super) urgent: Gate<PgPool>,
    pub(super) change_log: Gate<PgPool>,
}

impl PgGates {
    pub(super) fn of(&self, lane: Lane) -> &Gate<PgPool> {
        match lane {
            Lane::Normal => &self.all,
            Lane::Urgent => &self.urgent,
            Lane::ChangeLog => &self.change_log,
        }
    }
}

/// A pool with a queue, so that waiting does not block a thread.
pub(super) struct Gate<P> {
    pool: P,
    permits: Arc<Semaphore>,
    /// Held by the first normal use case in the queue. Urgent use cases skip this queue.
    next: Arc<Semaphore>,
}

impl<P: Clone> Gate<P> {
    pub(super) fn new(pool: P, permits: u32) -> Self {
        Self { pool, permits: Arc::new(Semaphore::new(permits as usize)), next: Arc::new(Semaphore::new(1)) }
    }

    async fn enter(&self, lane: Lane) -> Result<(P, OwnedSemaphorePermit), StoreError> {
        let enter = async {
            let _next = match lane {
                Lane::Normal | Lane::ChangeLog => Some(self.next.acquire().await?),
                Lane::Urgent => None,
            };
            Arc::clone(&self.permits).acquire_owned().await
        };
        match tokio::time::timeout(pool::WAIT, enter).await {
            Ok(Ok(permit)) => Ok((self.pool.clone(), permit)),
            // The semaphores are never closed, so this is always the timeout.
            Ok(Err(_)) | Err(_) => Err(StoreError::Busy(pool::WAIT.as_secs())),
        }
    }
}

/// Runs a use case on a blocking thread with a connection from the gate's pool.
pub(super) async fn run<C, T, E, F>(gate: &Gate<Pool<Manager<C>>>, lane: Lane, work: F) -> Result<T, E>
where
    C: R2D2Connection + 'static,
    F: FnOnce(&mut C) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    let (pool, permit) = gate.enter(lane).await?;
    let job = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let mut conn = checkout(&pool)?;
        let done = work(&mut **conn);
        if done.is_err() {
            // The error may come from a broken connection.
            conn.mark_suspect();
        }
        done
    });
    job.await.map_err(StoreError::Stopped)?
}

pub(super) fn checkout<C: R2D2Connection + 'static>(
    pool: &Pool<Manager<C>>,
) -> Result<PooledConnection<Manager<C>>, StoreError> {
    pool.get().map_err(|error| StoreError::Connect(Box::new(error)))
}
