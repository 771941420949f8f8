//! Whether PostgreSQL answers. A monitor asks it all the time, so that a request need not find out by
//! waiting, and so that the first request after the trouble succeeds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use diesel::pg::PgConnection;
use tokio::sync::watch;

use crate::error::StoreError;
use crate::pool::{self, Database as _, Postgres};

/// How often an answering database is asked.
const INTERVAL: Duration = Duration::from_secs(1);

/// A database that has not answered for this long is down. An overloaded one answers within that time.
const DOWN_AFTER: Duration = Duration::from_millis(2_500);

/// How often a database in trouble is asked again, on a new connection: the earlier ones may never
/// return.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

/// Maximum number of attempts that have not returned. Each ends when the connection's timeouts end it.
const MOST_ATTEMPTS: usize = 16;

/// The state of a database: up, or down. On SQLite it is always up.
#[derive(Debug)]
pub(crate) struct Health {
    up: watch::Sender<bool>,
    /// How often the database has gone down.
    downs: AtomicU64,
}

impl Health {
    /// For a database in a file, which needs no monitor.
    pub(crate) fn always_up() -> Arc<Self> {
        Arc::new(Self { up: watch::Sender::new(true), downs: AtomicU64::new(0) })
    }

    /// Starts a monitor, which ends after the last reference is dropped. Nothing ever waits for it.
    pub(crate) fn monitor(database: Postgres) -> Arc<Self> {
        let health = Self::always_up();
        let watched = Arc::downgrade(&health);
        thread::spawn(move || Monitor::new(database).run(&watched));
        health
    }

    pub(crate) fn is_up(&self) -> bool {
        *self.up.borrow()
    }

    /// A number that changes when the database goes down: connections from before may never answer.
    pub(crate) fn downs(&self) -> u64 {
        self.downs.load(Ordering::Acquire)
    }

    /// Waits until the database is down.
    pub(crate) async fn down(&self) {
        let mut up = self.up.subscribe();
        // The sender lives as long as `self`, so this is no error.
        let _down = up.wait_for(|up| !up).await;
    }

    fn set(&self, up: bool) {
        self.up.send_if_modified(|state| {
            if *state == up {
                return false;
            }
            if !up {
                self.downs.fetch_add(1, Ordering::AcqRel);
            }
            *state = up;
            true
        });
    }
}

/// The monitor's thread. It never waits for the database itself: each attempt has its own thread.
struct Monitor {
    database: Postgres,
    sender: mpsc::Sender<Result<PgConnection, StoreError>>,
    answers: mpsc::Receiver<Result<PgConnection, StoreError>>,
    /// The connection of the last attempt that succeeded.
    conn: Option<PgConnection>,
    pending: usize,
    /// When the last attempt began.
    asked: Instant,
    /// When the first attempt began that has no answer; none if the last one had one.
    waiting_since: Option<Instant>,
}

impl Monitor {
    fn new(database: Postgres) -> Self {
        let (sender, answers) = mpsc::channel();
        Self { database, sender, answers, conn: None, pending: 0, asked: Instant::now(), waiting_since: None }
    }

    fn run(mut self, health: &Weak<Health>) {
        loop {
            let Some(health) = health.upgrade() else { return };
            let interval = if self.waiting_since.is_none() && health.is_up() { INTERVAL } else { RETRY_INTERVAL };
            let due = self.asked.elapsed() >= interval;
            let is_troubled = !health.is_up() || self.waiting_since.is_some_and(|since| since.elapsed() > INTERVAL);
            if due && (self.pending == 0 || (is_troubled && self.pending < MOST_ATTEMPTS)) {
                self.ask();
            }
            match self.answers.recv_timeout(RETRY_INTERVAL) {
                Ok(Ok(conn)) => {
                    self.pending -= 1;
                    self.conn = Some(conn);
                    self.waiting_since = None;
                    if !health.is_up() {
                        tracing::info!("the database answers again");
                    }
                    health.set(true);
                }
                Ok(Err(error)) => {
                    self.pending -= 1;
                    Self::note_down(&health, Some(&error));
                }
                Err(_timeout) => {
                    if self.waiting_since.is_some_and(|since| since.elapsed() >= DOWN_AFTER) {
                        Self::note_down(&health, None);
                    }
                }
            }
        }
    }

    fn note_down(health: &Health, error: Option<&StoreError>) {
        if health.is_up() {
            match error {
                Some(error) => tracing::error!(error = error as &dyn std::error::Error, "the database is down"),
                None => tracing::error!(seconds = DOWN_AFTER.as_secs_f64(), "the database has not answered"),
            }
        }
        health.set(false);
    }

    fn ask(&mut self) {
        self.asked = Instant::now();
        self.waiting_since.get_or_insert(self.asked);
        self.pending += 1;
        let (database, conn, answers) = (self.database.clone(), self.conn.take(), self.sender.clone());
        thread::spawn(move || {
            // Sending fails if the monitor has ended; then nobody waits for the answer.
            let _sent = answers.send(attempt(&database, conn));
        });
    }
}

/// Asks the database for an answer, on a new connection if the old one is broken.
fn attempt(database: &Postgres, conn: Option<PgConnection>) -> Result<PgConnection, StoreError> {
    if let Some(mut conn) = conn
        && pool::ping(&mut conn).is_ok()
    {
        return Ok(conn);
    }
    let mut conn = database.open()?;
    pool::ping(&mut conn)?;
    Ok(conn)
}
