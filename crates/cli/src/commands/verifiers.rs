//! `keyward verifiers list`: the services that verify keys in-process.

use clap::Subcommand;

use crate::App;
use crate::args::ViewFormat;
use crate::error::{Context, Error};
use crate::output::{Cell, Table};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List connected embedded verifiers: when they connected and how many changes they lag behind
    #[command(
        visible_alias = "ls",
        after_help = "Examples:
  keyward verifiers list
  keyward verifiers list -o json"
    )]
    List(List),
}

#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// Output format
    #[arg(short, long, value_enum, default_value = "table")]
    output: ViewFormat,
}

pub(crate) async fn run(command: Command, app: &App<'_>) -> Result<(), Error> {
    let Command::List(args) = command;
    let client = app.config.connect()?.client;
    let verifiers = client.verifiers().await.context("cannot list the verifiers")?;
    match args.output {
        ViewFormat::Json => app.out.json(&verifiers),
        ViewFormat::Table if verifiers.is_empty() => {
            app.out.note("No verifiers are connected.");
            Ok(())
        }
        ViewFormat::Table => {
            let rows = verifiers.into_iter().map(|verifier| {
                vec![
                    Cell::Text(verifier.name),
                    Cell::Id(verifier.id.to_string()),
                    Cell::Time(verifier.connected_at),
                    Cell::Text(verifier.lag.to_string()),
                    Cell::Text(format!("{} ms", verifier.answered_ms_ago)),
                ]
            });
            app.out.table(&Table::new(vec!["name", "id", "connected at", "lag", "answered before"], rows.collect()))
        }
    }
}
