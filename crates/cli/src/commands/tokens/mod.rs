//! `keyward tokens …`: create, list, view, identify, remove and expire tokens.

mod column;
mod conditions;
mod create;
mod expire;
mod family;
mod hidden;
mod identify;
mod incident;
mod key_ref;
mod list;
mod receipt;
mod remove;
mod uses;
mod view;

pub(super) use conditions::{Reason, key_id};

use clap::Subcommand;

use crate::App;
use crate::error::Error;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Create(create::Args),
    List(list::Args),
    View(view::Args),
    Identify(identify::Args),
    Remove(remove::Args),
    Receipt(receipt::Args),
    Expire(Box<expire::Args>),
}

pub(crate) async fn run(command: Command, app: &App<'_>) -> Result<(), Error> {
    match command {
        Command::Create(args) => create::run(args, app).await,
        Command::List(args) => list::run(args, app).await,
        Command::View(args) => view::run(args, app).await,
        Command::Identify(args) => identify::run(args, app).await,
        Command::Receipt(args) => receipt::run(&args, app).await,
        Command::Remove(args) => remove::run(args, app).await,
        Command::Expire(args) => expire::run(*args, app).await,
    }
}
