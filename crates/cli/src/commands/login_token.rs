//! `keyward login token`: prints the session or token in use and nothing else.

use crate::App;
use crate::error::Error;

/// Print the session or token in use and nothing else
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  export KEYWARD_SESSION_TOKEN=$(keyward login token)")]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args, app: &App<'_>) -> Result<(), Error> {
    app.out.secret(&app.config.credential()?.token)
}
