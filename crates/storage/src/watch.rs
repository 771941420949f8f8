//! Detects that another program has changed a SQLite file.
//!
//! On each connection `PRAGMA data_version` changes when another connection commits. The check uses a
//! dedicated connection first: usually nothing was committed, and the check takes microseconds. If
//! something was, the check then reads the version on the writer's connection, which does not count
//! this process's own commits.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::BigInt;
use diesel::sqlite::Sqlite;
use diesel::{QueryResult, RunQueryDsl, SqliteConnection};
use tokio::sync::{Mutex, MutexGuard};

use crate::error::StoreError;
use crate::pool;

/// How long a result stays fresh. The documented bound is 1 s; this is far below it and limits a busy
/// server to 1000 checks a second.
const FRESH_FOR: Duration = Duration::from_millis(1);

/// Checks for commits by other programs.
pub(crate) struct Watch {
    seen: Mutex<Seen>,
    created_at: Instant,
    /// When the last result stops being fresh, in nanoseconds since `created_at`. It is atomic so that
    /// most requests need no lock.
    fresh_until: AtomicU64,
}

/// The data versions of the last check.
struct Seen {
    conn: SqliteConnection,
    /// The version on `conn`, which every commit changes; none before the first check.
    own: Option<i64>,
    /// The number of the writer's connection and the version on it, which only commits of other programs
    /// change. A new connection counts from the start, so its versions say nothing about earlier ones.
    writer: Option<(u64, i64)>,
}

/// A check that found a commit. [`Self::finish`] decides whether another program made it.
pub(crate) struct Check<'a> {
    watch: &'a Watch,
    seen: MutexGuard<'a, Seen>,
    own: i64,
    started: Duration,
}

/// `PRAGMA data_version` as a query that each connection prepares once. `diesel::sql_query` would
/// prepare it on every call.
#[derive(Clone, Copy, QueryId)]
struct DataVersion;

impl Query for DataVersion {
    type SqlType = BigInt;
}

impl QueryFragment<Sqlite> for DataVersion {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        pass.push_sql("PRAGMA data_version");
        Ok(())
    }
}

impl RunQueryDsl<SqliteConnection> for DataVersion {}

/// A number that changes when another connection commits.
pub(crate) fn data_version(conn: &mut SqliteConnection) -> Result<i64, StoreError> {
    Ok(DataVersion.get_result(conn)?)
}

impl Watch {
    pub(crate) fn new(path: &Path) -> Result<Self, StoreError> {
        let mut conn = pool::sqlite_without_wait(path)?;
        conn.batch_execute("PRAGMA cache_size = -64")?;
        let seen = Mutex::new(Seen { conn, own: None, writer: None });
        Ok(Self { seen, created_at: Instant::now(), fresh_until: AtomicU64::new(0) })
    }

    /// Checks for any commit since the last check; none if there was none, or the last result is fresh.
    pub(crate) async fn check(&self) -> Result<Option<Check<'_>>, StoreError> {
        let mut seen = self.seen.lock().await;
        // Another task may have checked while this one waited for the lock.
        if self.is_fresh() {
            return Ok(None);
        }
        // Read before the check, so that a later commit is left to the next check.
        let now = self.created_at.elapsed();
        let own = data_version(&mut seen.conn)?;
        if seen.own == Some(own) {
            self.keep_fresh(now);
            return Ok(None);
        }
        Ok(Some(Check { watch: self, seen, own, started: now }))
    }

    /// Whether the last result is fresh.
    pub(crate) fn is_fresh(&self) -> bool {
        nanos(self.created_at.elapsed()) < self.fresh_until.load(Ordering::Acquire)
    }

    fn keep_fresh(&self, from: Duration) {
        self.fresh_until.store(nanos(from + FRESH_FOR), Ordering::Release);
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Check<'_> {
    /// Takes the number of the writer's connection and the data version that it read after this check.
    /// Returns whether another program has committed.
    pub(crate) fn finish(&mut self, writer: (u64, i64)) -> bool {
        let changed = self.seen.writer != Some(writer);
        self.seen.own = Some(self.own);
        self.seen.writer = Some(writer);
        self.watch.keep_fresh(self.started);
        changed
    }
}
