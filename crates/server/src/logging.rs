//! The log, on stderr: text for people, JSON for machines.

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::LogFormat;

/// Starts logging. The program calls this once.
pub(crate) fn start(format: LogFormat, filter: EnvFilter) {
    let log = fmt().with_env_filter(filter).with_writer(io::stderr);
    let started = match format {
        LogFormat::Text => log.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    if let Err(error) = started {
        // A program that embeds the server has set up its own log, which stays in use.
        tracing::debug!(error = %error, "logging was already set up");
    }
}
