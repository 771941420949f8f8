//! The log, on stderr: text for people, JSON for machines.

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::LogFormat;

/// Starts logging. Done once, by the program.
pub(crate) fn start(format: LogFormat, filter: EnvFilter) {
    let log = fmt().with_env_filter(filter).with_writer(io::stderr);
    let started = match format {
        LogFormat::Text => log.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    if let Err(error) = started {
        // Something else logs already: an embedding program. Its log is as good.
        tracing::debug!(error = %error, "a log was started before");
    }
}
