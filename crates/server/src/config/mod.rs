//! The configuration: flags, then environment, then file, then defaults.

mod file;
mod flags;
mod show;

pub use flags::Flags;
pub use show::show;

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::ArgMatches;
use clap::parser::ValueSource;
use ipnet::IpNet;
use keyward_domain::{Catalogue, Lifetime};
use keyward_service::{DatabaseUrl, InvalidDatabaseUrl, Settings};

/// The lease of embedded verifiers, if nobody says otherwise.
const VERIFIER_LEASE: Lifetime = Lifetime::seconds(1);

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// A JSON object a line.
    Json,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    Flag,
    /// A variable of the environment.
    Environment,
    /// The configuration file.
    File,
    /// Nobody said otherwise.
    Default,
}

/// A value, and where it comes from.
#[derive(Clone, Debug)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Where it comes from.
    pub origin: Origin,
}

/// What the server goes by.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens.
    pub listen: Sourced<SocketAddr>,
    /// Where its own files are.
    pub data_dir: Sourced<PathBuf>,
    /// Where the data is.
    pub database_url: Sourced<DatabaseUrl>,
    /// See [`Settings`].
    pub default_token_lifetime: Sourced<Lifetime>,
    /// See [`Settings`].
    pub max_token_lifetime: Sourced<Lifetime>,
    /// See [`Settings`].
    pub max_admin_token_lifetime: Sourced<Lifetime>,
    /// See [`Settings`].
    pub session_duration: Sourced<Lifetime>,
    /// See [`Settings`].
    pub session_max_lifetime: Sourced<Lifetime>,
    /// Sessions do not slide.
    pub disable_session_expiry_refresh: Sourced<bool>,
    /// See [`Settings`].
    pub verifier_lease: Sourced<Lifetime>,
    /// See [`Settings`].
    pub api_keys_retention: Sourced<Lifetime>,
    /// See [`Settings`].
    pub audit_logs_retention: Sourced<Lifetime>,
    /// The file of the catalogue of scopes; the built-in one if none.
    pub scopes: Sourced<Option<PathBuf>>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Sourced<Vec<IpNet>>,
    /// How the log is written.
    pub log_format: Sourced<LogFormat>,
    /// What is logged.
    pub log_filter: Sourced<String>,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {path}: {source}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what a configuration is.
    #[error("the configuration file {path} is not valid: {reason}")]
    Invalid {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The database's URL cannot be used. It is not repeated: it may hold a password.
    #[error("--database-url (KEYWARD_DATABASE_URL) is not one that can be used: {0}")]
    DatabaseUrl(InvalidDatabaseUrl),
    /// There is no place for data.
    #[error("there is no home directory to keep data in: set --data-dir (KEYWARD_DATA_DIR) to a directory")]
    NoDataDir,
    /// The catalogue file cannot be used.
    #[error("--scopes {path}: {reason}")]
    Scopes {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The filter of the log cannot be used.
    #[error("--log-filter \"{0}\" is not a filter: want a level, such as info, or target=level pairs")]
    LogFilter(String),
}

impl Config {
    /// Puts the values together.
    ///
    /// # Errors
    /// [`ConfigError`] names what is wrong and where.
    pub fn load(flags: Flags, matches: &ArgMatches) -> Result<Self, ConfigError> {
        let file = match &flags.config {
            Some(path) => file::read(path)?,
            None => Flags::default(),
        };
        let pick = Picker { matches };
        let data_dir = pick.or_else("data_dir", flags.data_dir, file.data_dir, default_data_dir)?;
        let default_database = format!("sqlite://{}", data_dir.value.join("keyward.db").display());
        let database_url = pick.or("database_url", flags.database_url, file.database_url, default_database);
        let database_url = Sourced {
            value: database_url.value.parse().map_err(ConfigError::DatabaseUrl)?,
            origin: database_url.origin,
        };
        let normal = Settings::default();
        let terminal = std::io::stderr().is_terminal();
        let format = if terminal { LogFormat::Text } else { LogFormat::Json };
        let config = Self {
            listen: pick.or("listen", flags.listen, file.listen, SocketAddr::from(([127, 0, 0, 1], 7080))),
            default_token_lifetime: pick.or(
                "default_token_lifetime",
                flags.default_token_lifetime,
                file.default_token_lifetime,
                normal.default_token_lifetime,
            ),
            max_token_lifetime: pick.or(
                "max_token_lifetime",
                flags.max_token_lifetime,
                file.max_token_lifetime,
                normal.max_token_lifetime,
            ),
            max_admin_token_lifetime: pick.or(
                "max_admin_token_lifetime",
                flags.max_admin_token_lifetime,
                file.max_admin_token_lifetime,
                normal.max_admin_token_lifetime,
            ),
            session_duration: pick.or(
                "session_duration",
                flags.session_duration,
                file.session_duration,
                normal.session_duration,
            ),
            session_max_lifetime: pick.or(
                "session_max_lifetime",
                flags.session_max_lifetime,
                file.session_max_lifetime,
                normal.session_max_lifetime,
            ),
            disable_session_expiry_refresh: pick.or(
                "disable_session_expiry_refresh",
                flags.disable_session_expiry_refresh,
                file.disable_session_expiry_refresh,
                false,
            ),
            verifier_lease: pick.or("verifier_lease", flags.verifier_lease, file.verifier_lease, VERIFIER_LEASE),
            api_keys_retention: pick.or(
                "api_keys_retention",
                flags.api_keys_retention,
                file.api_keys_retention,
                normal.api_keys_retention,
            ),
            audit_logs_retention: pick.or(
                "audit_logs_retention",
                flags.audit_logs_retention,
                file.audit_logs_retention,
                normal.audit_logs_retention,
            ),
            scopes: pick.or("scopes", flags.scopes.map(Some), file.scopes.map(Some), None),
            trusted_proxies: pick
                .or("trusted_proxies", flags.trusted_proxies, file.trusted_proxies, flags::ProxyList::default())
                .map(|list| list.0),
            log_format: pick.or("log_format", flags.log_format, file.log_format, format),
            log_filter: pick.or("log_filter", flags.log_filter, file.log_filter, "info".to_owned()),
            data_dir,
            database_url,
        };
        config.env_filter()?;
        Ok(config)
    }

    /// What the use cases go by.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings {
            default_token_lifetime: self.default_token_lifetime.value,
            max_token_lifetime: self.max_token_lifetime.value,
            max_admin_token_lifetime: self.max_admin_token_lifetime.value,
            session_duration: self.session_duration.value,
            session_max_lifetime: self.session_max_lifetime.value,
            sessions_slide: !self.disable_session_expiry_refresh.value,
            verifier_lease: std::time::Duration::from_secs(self.verifier_lease.value.as_secs().unsigned_abs()),
            api_keys_retention: self.api_keys_retention.value,
            audit_logs_retention: self.audit_logs_retention.value,
        }
    }

    /// The catalogue of scopes.
    ///
    /// # Errors
    /// When the file cannot be read, or is no catalogue.
    pub fn catalogue(&self) -> Result<Catalogue, ConfigError> {
        let Some(path) = &self.scopes.value else { return Ok(Catalogue::built_in()) };
        let failed = |reason: String| ConfigError::Scopes { path: path.clone(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        Catalogue::from_toml(&text).map_err(|error| failed(error.to_string()))
    }

    /// What is logged.
    ///
    /// # Errors
    /// When it is no filter.
    pub fn env_filter(&self) -> Result<tracing_subscriber::EnvFilter, ConfigError> {
        let text = &self.log_filter.value;
        // The HTTP library calls every request that is not HTTP an error; anyone could fill the log.
        tracing_subscriber::EnvFilter::try_new(format!("actix_http=off,{text}"))
            .map_err(|_malformed| ConfigError::LogFilter(text.clone()))
    }
}

fn default_data_dir() -> Result<PathBuf, ConfigError> {
    use etcetera::BaseStrategy as _;
    let places = etcetera::choose_base_strategy().map_err(|_no_home| ConfigError::NoDataDir)?;
    Ok(places.data_dir().join("keyward"))
}

/// Takes the first of flag, environment, file and default, and remembers which it was.
struct Picker<'a> {
    matches: &'a ArgMatches,
}

impl Picker<'_> {
    fn or<T>(&self, id: &str, given: Option<T>, file: Option<T>, default: T) -> Sourced<T> {
        match (given, file) {
            (Some(value), _) => Sourced { value, origin: self.origin(id) },
            (None, Some(value)) => Sourced { value, origin: Origin::File },
            (None, None) => Sourced { value: default, origin: Origin::Default },
        }
    }

    fn or_else<T>(
        &self,
        id: &str,
        given: Option<T>,
        file: Option<T>,
        default: impl FnOnce() -> Result<T, ConfigError>,
    ) -> Result<Sourced<T>, ConfigError> {
        match (given, file) {
            (None, None) => Ok(Sourced { value: default()?, origin: Origin::Default }),
            (Some(value), _) => Ok(Sourced { value, origin: self.origin(id) }),
            (None, Some(value)) => Ok(Sourced { value, origin: Origin::File }),
        }
    }

    fn origin(&self, id: &str) -> Origin {
        match self.matches.value_source(id) {
            Some(ValueSource::EnvVariable) => Origin::Environment,
            _ => Origin::Flag,
        }
    }
}

impl<T> Sourced<T> {
    fn map<U>(self, change: impl FnOnce(T) -> U) -> Sourced<U> {
        Sourced { value: change(self.value), origin: self.origin }
    }
}
