//! A borrowed connection to either database.

use diesel::pg::PgConnection;
use diesel::sqlite::SqliteConnection;

/// The connection of a use case. The modules of this crate named after tables have its queries.
pub enum Conn<'c> {
    /// A SQLite connection.
    #[doc(hidden)]
    Sqlite(&'c mut SqliteConnection),
    /// A PostgreSQL connection.
    #[doc(hidden)]
    Postgres(&'c mut PgConnection),
}

impl std::fmt::Debug for Conn<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sqlite(_) => "Conn::Sqlite",
            Self::Postgres(_) => "Conn::Postgres",
        })
    }
}

/// Runs one expression on either database: each query is written once and type-checked for both.
macro_rules! on_backend {
    ($conn:expr, |$db:ident| $query:expr) => {
        match $conn {
            $crate::conn::Conn::Sqlite($db) => {
                let $db = &mut **$db;
                $query
            }
            $crate::conn::Conn::Postgres($db) => {
                let $db = &mut **$db;
                $query
            }
        }
    };
}
pub(crate) use on_backend;
