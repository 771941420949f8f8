//! The command line of Keyward: parses the arguments, runs one command and returns its exit code.
//!
//! **Invariants:** only `output` prints; no command filters the server's lists, except that
//! `tokens list --sessions` keeps only sessions; no flag takes a token, and no error contains one.

mod args;
mod commands;
mod config;
mod error;
mod exit;
mod output;
mod prompt;
mod server_url;
mod store;
mod when;

pub use exit::Exit;

use std::ffi::OsString;

use clap::Parser;

use args::Cli;
use config::Config;
use error::{Context, Error};
use output::Output;

/// The context of a command.
struct App<'a> {
    out: &'a Output,
    config: Config,
    /// Whether to print the full error chain.
    verbose: bool,
}

/// Runs the command in `arguments`, whose first element is the program name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return Output::parser_message(&error),
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
    // One thread is enough: a command waits for one response at a time.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    runtime.block_on(commands::run(cli.command, &cli.global, out))
}
