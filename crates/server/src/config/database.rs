//! Settings of where the data is.

use std::path::{Path, PathBuf};

use keyward_service::DatabaseUrl;

use super::ConfigError;

/// Settings of where the data is.
#[derive(Clone, Debug, clap::Args)]
pub struct DatabaseSettings {
    /// Directory for the server's files [default: the platform's data directory + keyward]
    #[arg(long, env = "KEYWARD_DATA_DIR", value_name = "DIR", required = false, global = true)]
    pub data_dir: PathBuf,

    /// Database: sqlite://PATH or postgres://… [default: keyward.db in the data directory]
    #[arg(
        long,
        env = "KEYWARD_DATABASE_URL",
        value_name = "URL",
        hide_env_values = true,
        required = false,
        global = true
    )]
    pub database_url: String,
}

impl DatabaseSettings {
    /// The database's URL.
    ///
    /// # Errors
    /// When it is none of SQLite's or PostgreSQL's.
    // Not parsed by clap, which repeats what it cannot parse: it may hold a password.
    pub fn url(&self) -> Result<DatabaseUrl, ConfigError> {
        self.database_url.parse().map_err(ConfigError::DatabaseUrl)
    }
}

/// The data directory, unless one is set.
pub(super) fn default_data_dir() -> Result<PathBuf, ConfigError> {
    use etcetera::BaseStrategy as _;
    let places = etcetera::choose_base_strategy().map_err(|_no_home| ConfigError::NoDataDir)?;
    Ok(places.data_dir().join("keyward"))
}

/// The database's URL, unless one is set.
pub(super) fn default_url(data_dir: &Path) -> String {
    format!("sqlite://{}", data_dir.join("keyward.db").display())
}
