//! A database of a test's own, gone when the test is over.

use std::sync::Arc;
use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use keyward_service::DatabaseUrl;
use tempfile::TempDir;

use crate::postgres;

/// Which database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// The embedded one.
    Sqlite,
    /// The server.
    Postgres,
}

/// A new, empty database. The last clone to go takes it away.
#[derive(Clone, Debug)]
pub struct TestDatabase {
    /// Which kind.
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
pub(crate) struct Words {
    #[diesel(sql_type = Text)]
    pub text: String,
}

impl TestDatabase {
    /// Makes one; none where there is no PostgreSQL to make it in.
    #[must_use]
    pub fn create(backend: Backend) -> Option<Self> {
        let directory = TempDir::with_prefix("keyward-test-").expect("a temporary directory");
        let url = match backend {
            Backend::Sqlite => format!("sqlite://{}", directory.path().join("keyward.db").display()),
            Backend::Postgres => postgres::create_database()?,
        };
        Some(Self { backend, place: Arc::new(Place { backend, url, directory }) })
    }

    /// Its URL, as the server takes it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.place.url
    }

    /// The same, read.
    #[must_use]
    pub fn parsed(&self) -> DatabaseUrl {
        self.place.url.parse().expect("our own URL")
    }

    /// A directory that lives as long as the database.
    #[must_use]
    pub fn directory(&self) -> &std::path::Path {
        self.place.directory.path()
    }

    /// Runs SQL by hand, as an operator would, on a connection of its own; and comes back when a server
    /// must know of it.
    ///
    /// # Errors
    /// What the database says.
    pub fn execute(&self, sql: &str) -> QueryResult<()> {
        match self.backend {
            Backend::Sqlite => {
                let done = self.sqlite().batch_execute(sql);
                // What is promised of changes by hand: they are noticed a millisecond later at most.
                std::thread::sleep(Duration::from_millis(1));
                done
            }
            Backend::Postgres => self.postgres().batch_execute(sql),
        }
    }

    /// The number that a query such as `SELECT count(*) AS count …` gives.
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

    /// The text that a query such as `SELECT id AS text …` gives.
    #[must_use]
    pub fn text(&self, sql: &str) -> String {
        let query = diesel::sql_query(sql);
        let row: Words = match self.backend {
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
