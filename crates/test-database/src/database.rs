//! A database for one test, removed after it.

use std::sync::Arc;
use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use keyward_storage::DatabaseUrl;
use tempfile::TempDir;

use crate::postgres;

/// The kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// SQLite, embedded in the server.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// A new, empty database. Dropping the last clone removes it.
#[derive(Clone, Debug)]
pub struct TestDatabase {
    /// The kind of database.
    pub backend: Backend,
    place: Arc<Place>,
}

#[derive(Debug)]
struct Place {
    backend: Backend,
    url: String,
    directory: TempDir,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

#[derive(QueryableByName)]
pub(crate) struct TextRow {
    #[diesel(sql_type = Text)]
    pub text: String,
}

impl TestDatabase {
    /// Creates a database. `None` if it should be PostgreSQL and there is none.
    #[must_use]
    pub fn create(backend: Backend) -> Option<Self> {
        let directory = TempDir::with_prefix("keyward-test-").expect("a temporary directory");
        let url = match backend {
            Backend::Sqlite => format!("sqlite://{}", directory.path().join("keyward.db").display()),
            Backend::Postgres => postgres::create_database()?,
        };
        Some(Self { backend, place: Arc::new(Place { backend, url, directory }) })
    }

    /// The URL, as the server expects it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.place.url
    }

    /// The parsed URL.
    #[must_use]
    pub fn parsed(&self) -> DatabaseUrl {
        self.place.url.parse().expect("our own URL")
    }

    /// A directory that is removed with the database.
    #[must_use]
    pub fn directory(&self) -> &std::path::Path {
        self.place.directory.path()
    }

    /// Runs SQL on a new connection, as an operator would. It returns when servers are sure to notice
    /// the change.
    ///
    /// # Errors
    /// The database's error.
    pub fn execute(&self, sql: &str) -> QueryResult<()> {
        match self.backend {
            Backend::Sqlite => {
                let done = self.sqlite().batch_execute(sql);
                // Servers notice external changes after at most 1 ms.
                std::thread::sleep(Duration::from_millis(1));
                done
            }
            Backend::Postgres => self.postgres().batch_execute(sql),
        }
    }

    /// The number that a query such as `SELECT count(*) AS count …` returns.
    #[must_use]
    pub fn count(&self, sql: &str) -> i64 {
        let query = diesel::sql_query(sql);
        let row: Count = match self.backend {
            Backend::Sqlite => query.get_result(&mut self.sqlite()),
            Backend::Postgres => query.get_result(&mut self.postgres()),
        }
        .expect("a count");
        row.count
    }

    /// The text that a query such as `SELECT id AS text …` returns.
    #[must_use]
    pub fn text(&self, sql: &str) -> String {
        let query = diesel::sql_query(sql);
        let row: TextRow = match self.backend {
            Backend::Sqlite => query.get_result(&mut self.sqlite()),
            Backend::Postgres => query.get_result(&mut self.postgres()),
        }
        .expect("a text");
        row.text
    }

    pub(crate) fn sqlite(&self) -> SqliteConnection {
        let path = self.place.url.trim_start_matches("sqlite://");
        let mut conn = SqliteConnection::establish(path).expect("the test's own file");
        conn.batch_execute("PRAGMA busy_timeout = 5000").expect("a pragma");
        conn
    }

    pub(crate) fn postgres(&self) -> PgConnection {
        PgConnection::establish(&self.place.url).expect("the test's own database")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.backend == Backend::Postgres {
            postgres::drop_database(&self.url);
        }
    }
}
