//! A borrowed connection to either database.

use diesel::pg::PgConnection;
use diesel::sqlite::SqliteConnection;

/// A connection, as a use case gets it. What can be done with it stands in the modules of this
/// crate that are named for the tables.
pub enum Conn<'c> {
    /// To SQLite.
    #[doc(hidden)]
    Sqlite(&'c mut SqliteConnection),
    /// To PostgreSQL.
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

/// Runs one expression on whichever database the connection leads to: each query is written once,
/// and type-checked against both.
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
