//! The configuration: flags, then environment, then file, then defaults.
//!
//! A setting stands in one place: a field of its section, which is its doc comment, its flag, its
//! variable, its key in the file and its default. Sections that the use cases go by are
//! [`Settings`]; the others are here.

mod audit;
mod catalogue;
mod database;
mod listen;
mod log;
mod sources;

pub use audit::AuditSettings;
pub use catalogue::CatalogueSettings;
pub use database::DatabaseSettings;
pub use listen::{ListenSettings, ProxyList};
pub use log::{LogFormat, LogSettings};
pub use sources::{Origin, Sources, Unusable, read};

use std::path::PathBuf;

use keyward_service::{InvalidDatabaseUrl, Settings};

/// What the server goes by.
#[derive(Clone, Debug, clap::Args)]
pub struct Config {
    /// Where it listens.
    #[command(flatten)]
    pub listen: ListenSettings,
    /// Where its data is.
    #[command(flatten)]
    pub database: DatabaseSettings,
    /// How its audit log is proven.
    #[command(flatten)]
    pub audit: AuditSettings,
    /// What the use cases go by.
    #[command(flatten)]
    pub settings: Settings,
    /// Which scopes there are.
    #[command(flatten)]
    pub catalogue: CatalogueSettings,
    /// What is logged, and how.
    #[command(flatten)]
    pub log: LogSettings,
}

/// The configuration is not valid.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {path}: {source}")]
    Unreadable {
        /// The file's path.
        path: PathBuf,
        /// The I/O error.
        source: std::io::Error,
    },
    /// The file is not TOML, or sets something that cannot be used.
    #[error("the configuration file {path} is not valid: {reason}")]
    Invalid {
        /// The file's path.
        path: PathBuf,
        /// What is wrong with the file.
        reason: String,
    },
    /// The database URL is not valid. The message does not quote it: it may contain a password.
    #[error("--database-url (KEYWARD_DATABASE_URL) is not valid: {0}")]
    DatabaseUrl(InvalidDatabaseUrl),
    /// There is no default data directory.
    #[error("no home directory found for the default data directory: set --data-dir (KEYWARD_DATA_DIR)")]
    NoDataDir,
    /// The catalogue file is not valid.
    #[error("--scopes {path}: {reason}")]
    Scopes {
        /// The file's path.
        path: PathBuf,
        /// What is wrong with the file.
        reason: String,
    },
    /// The log filter is not valid.
    #[error("--log-filter \"{0}\" is not a log filter: want a level, such as info, or target=level pairs")]
    LogFilter(String),
}
