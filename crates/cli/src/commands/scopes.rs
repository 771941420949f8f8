//! `keyward scopes list`: the scopes that tokens can have.

use clap::Subcommand;

use crate::App;
use crate::args::ViewFormat;
use crate::error::{Context, Error};
use crate::output::{Cell, Table};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the scopes and what each allows, sorted by name
    #[command(
        visible_alias = "ls",
        after_help = "Examples:
  keyward scopes list
  keyward scopes list --url https://keyward.example.com -o json"
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
    // The list is public, so no credential is sent.
    let client = app.config.client(&app.config.url()?, None)?;
    let scopes = client.scopes().await.context("cannot list the scopes")?;
    match args.output {
        ViewFormat::Json => app.out.json(&scopes.scopes),
        ViewFormat::Table => {
            let rows = scopes.scopes.into_iter().map(|scope| vec![Cell::Id(scope.name), Cell::Text(scope.description)]);
            app.out.table(&Table::new(vec!["name", "description"], rows.collect()))
        }
    }
}
