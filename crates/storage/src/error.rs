//! Storage errors.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

/// A storage error.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No connection became free in time: the database is overloaded.
    #[error("no database connection became free in time")]
    Busy,
    /// The database is known not to answer.
    #[error("the database does not answer")]
    Down,
    /// The database did not answer in time. Nothing was changed.
    #[error("the database did not answer in time")]
    TooSlow,
    /// The result of a COMMIT was lost, or did not arrive in time: the changes may be on disk or not.
    #[error("the result of the COMMIT is unknown")]
    OutcomeUnknown(#[source] Option<DieselError>),
    /// The disk is full. Nothing was changed.
    #[error("the database's disk is full")]
    StorageFull(#[source] Option<DieselError>),
    /// The database cannot be reached.
    #[error("cannot connect to the database")]
    Connect(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A unique username or e-mail address is already taken.
    #[error("a unique value is already taken")]
    Taken,
    /// A statement failed in the database.
    #[error("a database statement failed")]
    Database(#[source] DieselError),
    /// A row has a value that this program never writes.
    #[error("row {row} of table {table} has an invalid value")]
    Damaged {
        /// The table.
        table: &'static str,
        /// The row's id.
        row: String,
        /// What is wrong with the row.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A backup was asked of a database that has its own program for it.
    #[error("this backs up a SQLite database; back up PostgreSQL with pg_dump")]
    NotSqlite,
    /// An operator's command found no database.
    #[error("no database at {0}; start keyward-server once, or pass --data-dir")]
    NoDatabase(String),
    /// The database has the schema of an older version of this program.
    #[error("the database's schema is older than this program, {0}; start this version of keyward-server once")]
    OldSchema(&'static str),
    /// The database has migrations that this program does not know.
    #[error(
        "the database's schema is newer than this program: it has migration {newest}, and this program, {version}, knows \
         migrations up to {known}; use the version of keyward-server that migrated it, or a later one"
    )]
    NewSchema {
        /// The newest migration of the database.
        newest: String,
        /// The newest migration that this program knows.
        known: String,
        /// The version of this program.
        version: &'static str,
    },
    /// The migrations failed.
    #[error("cannot migrate the database schema")]
    Migrate(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Another server uses the SQLite file.
    #[error("{file} is already in use by another keyward-server (pid {pid})")]
    InUse {
        /// The file's name.
        file: String,
        /// The process id of the other server.
        pid: String,
    },
    /// The database file or the lock note cannot be opened, locked or written.
    #[error("cannot open, lock or write {path}")]
    File {
        /// The file's path.
        path: String,
        /// The operating system's error.
        #[source]
        source: std::io::Error,
    },
    /// The SQLite version linked into this program has a known fault.
    #[error(
        "this program is linked with SQLite {0}, which can corrupt the file; rebuild it with SQLite 3.51.3 or later"
    )]
    OldSqlite(String),
    /// No random numbers could be drawn.
    #[error("the operating system gave no random numbers")]
    Random(#[from] getrandom::Error),
    /// The thread that ran the use case panicked or was cancelled.
    #[error("the database thread stopped unexpectedly")]
    Stopped(#[source] tokio::task::JoinError),
}

impl From<DieselError> for StoreError {
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => Self::Taken,
            error if is_disk_full(&error) => Self::StorageFull(Some(error)),
            error => Self::Database(error),
        }
    }
}

/// The databases' messages for a full disk: diesel does not tell their error codes.
const DISK_FULL: [&str; 2] = ["database or disk is full", "No space left on device"];

/// Messages of errors at a COMMIT after which the database itself may not know the outcome.
const IO_ERRORS: [&str; 4] = ["disk I/O error", "connection", "SSL", "terminating"];

fn is_disk_full(error: &DieselError) -> bool {
    matches!(error, DieselError::DatabaseError(_, info) if DISK_FULL.iter().any(|text| info.message().contains(text)))
}

impl StoreError {
    /// The error for a connection that cannot be opened.
    pub(crate) fn connect(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Connect(Box::new(error))
    }

    /// The error for a COMMIT that failed. The database has rolled the transaction back if it says so
    /// itself; if the connection was lost, nobody knows.
    pub(crate) fn commit(error: DieselError) -> Self {
        match &error {
            DieselError::DatabaseError(
                DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand,
                _,
            )
            | DieselError::BrokenTransactionManager
            | DieselError::RollbackErrorOnCommit { .. } => Self::OutcomeUnknown(Some(error)),
            DieselError::DatabaseError(DatabaseErrorKind::Unknown, info)
                if !is_disk_full(&error) && IO_ERRORS.iter().any(|text| info.message().contains(text)) =>
            {
                Self::OutcomeUnknown(Some(error))
            }
            _ => error.into(),
        }
    }

    /// The error for a row that cannot be parsed.
    pub fn damaged(
        table: &'static str,
        row: impl ToString,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Damaged { table, row: row.to_string(), source: source.into() }
    }
}
