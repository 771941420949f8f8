//! What can go wrong between a use case and the database.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

/// A failure of storage.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No connection was free in time: too much is under way.
    #[error("no database connection was free within {0} s")]
    Busy(u64),
    /// The database cannot be reached.
    #[error("cannot connect to the database")]
    Connect(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A unique name or address is taken.
    #[error("a unique value is taken")]
    Taken,
    /// The database refused or failed a statement.
    #[error("the database failed")]
    Database(#[source] DieselError),
    /// A row holds what this program never writes.
    #[error("row {row} of table {table} is damaged")]
    Damaged {
        /// Which table.
        table: &'static str,
        /// The row's id.
        row: String,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The schema could not be brought up to date.
    #[error("cannot bring the schema up to date")]
    Migrate(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Another server has the SQLite file.
    #[error("{file} is already in use by another keyward-server (pid {pid})")]
    InUse {
        /// The file's name.
        file: String,
        /// Who has it.
        pid: String,
    },
    /// The data directory or the lock file cannot be used.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The SQLite linked into this program has a known fault.
    #[error(
        "SQLite {0} is linked into this program; 3.51.3 or later is needed, since earlier ones can corrupt the file"
    )]
    OldSqlite(String),
    /// The thread that ran the use case is gone.
    #[error("the database thread stopped")]
    Stopped(#[source] tokio::task::JoinError),
}

impl From<DieselError> for StoreError {
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => Self::Taken,
            other => Self::Database(other),
        }
    }
}

impl StoreError {
    /// A row that does not read as what it should be.
    pub(crate) fn damaged(
        table: &'static str,
        row: impl ToString,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Damaged { table, row: row.to_string(), source: source.into() }
    }
}
