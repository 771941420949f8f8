//! `keyward audit`: the audit log, and the proof that nobody changed it.

mod export;
mod follow;
mod list;
mod proof;
mod verify;

use clap::Subcommand;

use crate::App;
use crate::error::Error;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    List(Box<list::List>),
    Export(export::Export),
    Verify(verify::Verify),
    Proof(proof::Proof),
}

pub(crate) async fn run(command: Command, app: &App<'_>) -> Result<(), Error> {
    match command {
        Command::List(args) => list::run(*args, app).await,
        Command::Export(args) => export::run(&args, app).await,
        Command::Verify(args) => verify::run(&args, app).await,
        Command::Proof(args) => proof::run(&args, app).await,
    }
}
