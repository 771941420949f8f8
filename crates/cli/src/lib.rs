//! The command line of Keyward: reads the arguments, runs one command, and tells how it ended.
//!
//! **Invariants:** only `output` prints; nothing here filters what the server lists; a token is
//! never the value of a flag, and never in an error.

mod args;
mod commands;
mod config;
mod error;
mod exit;
mod key_text;
mod output;
mod prompt;
mod server_url;
mod store;

pub use exit::Exit;

use std::ffi::OsString;

use clap::Parser;

use args::Cli;
use config::Config;
use error::{Error, Failing};
use output::Output;

/// What a command has at hand.
struct App<'a> {
    out: &'a Output,
    config: Config,
    /// Is the whole chain of an error to be told?
    verbose: bool,
}

/// Runs the command that the arguments (the program's name first) ask for.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return Output::usage(&error),
    };
    let out = Output::new(cli.global.no_color);
    let verbose = cli.global.verbose;
    match execute(cli, &out) {
        Ok(()) => Exit::Done,
        Err(error) => {
            out.error(&error, verbose);
            error.exit()
        }
    }
}

fn execute(cli: Cli, out: &Output) -> Result<(), Error> {
    // One thread is enough: a command waits for one answer at a time.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().failing("cannot start the program")?;
    runtime.block_on(commands::run(cli.command, &cli.global, out))
}
