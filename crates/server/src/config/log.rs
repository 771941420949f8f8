//! Settings of the log.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use super::ConfigError;

/// Settings of the log.
#[derive(Clone, Debug, clap::Args)]
pub struct LogSettings {
    /// Log format [default: text on a terminal, else json]
    #[arg(long, env = "KEYWARD_LOG_FORMAT", value_name = "FORMAT", required = false, global = true)]
    pub log_format: LogFormat,

    /// Log filter: a level, or target=level pairs
    #[arg(long, env = "KEYWARD_LOG_FILTER", value_name = "FILTER", default_value = "info", global = true)]
    pub log_filter: String,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// A JSON object a line.
    Json,
}

impl LogSettings {
    /// What is logged.
    ///
    /// # Errors
    /// When it is no filter.
    pub fn filter(&self) -> Result<EnvFilter, ConfigError> {
        let text = &self.log_filter;
        // The HTTP library calls every request that is not HTTP an error; anyone could fill the log.
        EnvFilter::try_new(format!("actix_http=off,{text}")).map_err(|_malformed| ConfigError::LogFilter(text.clone()))
    }
}

/// The format, unless one is set.
pub(super) fn default_format() -> &'static str {
    if std::io::stderr().is_terminal() { "text" } else { "json" }
}
