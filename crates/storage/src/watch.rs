//! Notices that another program has changed a SQLite file.
//!
//! SQLite tells each connection of the commits of all others (`PRAGMA data_version`). A connection
//! of its own is asked first: no commit at all is the common answer, and costs microseconds. Only
//! when there was one is the writer's connection asked, whose answer leaves out our own.

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

/// How long an answer holds. A second is promised; this is as good as at once, and keeps a busy
/// server from looking more than a thousand times a second.
const HOLDS: Duration = Duration::from_millis(1);

/// The connection that looks, and what it saw.
pub(crate) struct Watch {
    seen: Mutex<Seen>,
    began: Instant,
    /// Until when the last answer holds, in nanoseconds since `began`: most requests need no lock.
    holds_until: AtomicU64,
}

struct Seen {
    conn: SqliteConnection,
    /// By this connection; none until it has looked.
    any: Option<i64>,
    /// By the writer's connection.
    others: Option<i64>,
}

/// A look that found a commit, to be settled by the writer's answer.
pub(crate) struct Look<'a> {
    watch: &'a Watch,
    seen: MutexGuard<'a, Seen>,
    any: i64,
    began: Duration,
}

/// `PRAGMA data_version`, as a query that each connection prepares once: `diesel::sql_query` would
/// have it prepared anew each time.
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

/// A number that changes when another connection has committed.
pub(crate) fn data_version(conn: &mut SqliteConnection) -> Result<i64, StoreError> {
    Ok(DataVersion.get_result(conn)?)
}

impl Watch {
    pub(crate) fn new(path: &Path) -> Result<Self, StoreError> {
        let mut conn = pool::sqlite_at_hand(path)?;
        conn.batch_execute("PRAGMA cache_size = -64")?;
        let seen = Mutex::new(Seen { conn, any: None, others: None });
        Ok(Self { seen, began: Instant::now(), holds_until: AtomicU64::new(0) })
    }

    /// Looks whether there was any commit; none if there was not, or it was looked a moment ago.
    pub(crate) async fn look(&self) -> Result<Option<Look<'_>>, StoreError> {
        let mut seen = self.seen.lock().await;
        // Somebody else may have looked meanwhile.
        if self.holds() {
            return Ok(None);
        }
        // Taken before the look: what is committed after it is for the next one.
        let now = self.began.elapsed();
        let any = data_version(&mut seen.conn)?;
        if seen.any == Some(any) {
            self.hold(now);
            return Ok(None);
        }
        Ok(Some(Look { watch: self, seen, any, began: now }))
    }

    /// Was it looked a moment ago?
    pub(crate) fn holds(&self) -> bool {
        nanos(self.began.elapsed()) < self.holds_until.load(Ordering::Acquire)
    }

    fn hold(&self, from: Duration) {
        self.holds_until.store(nanos(from + HOLDS), Ordering::Release);
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Look<'_> {
    /// Takes in what the writer's connection saw, after this one. Was it others' doing?
    pub(crate) fn settle(&mut self, others: i64) -> bool {
        let changed = self.seen.others != Some(others);
        self.seen.any = Some(self.any);
        self.seen.others = Some(others);
        self.watch.hold(self.began);
        changed
    }
}
