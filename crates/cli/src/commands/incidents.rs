//! `keyward incidents …`: the requests that expired many keys at once.

use clap::Subcommand;
use keyward_sdk::types::{Incident, Uuid};
use serde::Serialize;
use serde_json::Value;

use super::receipts;
use crate::App;
use crate::args::{ListFormat, ViewFormat};
use crate::error::{Context, Error};
use crate::exit::Exit;
use crate::output::{Cell, Table};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    List(List),
    View(View),
    Receipt(Receipt),
}

/// List the newest incidents, up to 100
///
/// Those who may read the audit log see all incidents, and others their own.
#[derive(Debug, clap::Args)]
#[command(
    visible_alias = "ls",
    after_help = "Examples:
  keyward incidents list
  keyward incidents list -o csv"
)]
pub(crate) struct List {
    /// Output format
    #[arg(short, long, value_enum, default_value = "table")]
    output: ListFormat,
}

/// Show an incident, and how many of its keys are expired
///
/// `keyward tokens expire --incident ID` goes on with one that is interrupted.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  keyward incidents view 019ac3f0-7a1e-7000-8000-000000000001
  keyward incidents view 019ac3f0-7a1e-7000-8000-000000000001 -o json")]
pub(crate) struct View {
    /// ID of the incident
    id: Uuid,

    /// Output format
    #[arg(short, long, value_enum, default_value = "table")]
    output: ViewFormat,
}

/// Print the receipt of an incident that has ended: proof for a third party
///
/// A receipt is a signed JSON document: which keys were expired, when, by whom and why, and which verifiers
/// confirmed it. `keyward receipts verify` checks it without a server.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  keyward incidents receipt 019ac3f0-7a1e-7000-8000-000000000001 > receipt.json")]
pub(crate) struct Receipt {
    /// ID of the incident
    id: Uuid,
}

pub(crate) async fn run(command: Command, app: &App<'_>) -> Result<(), Error> {
    match command {
        Command::List(args) => list(&args, app).await,
        Command::View(args) => view(&args, app).await,
        Command::Receipt(args) => receipt(&args, app).await,
    }
}

async fn receipt(args: &Receipt, app: &App<'_>) -> Result<(), Error> {
    let client = app.config.connect()?.client;
    let receipt = client.incident_receipt(args.id).await.context("cannot get the receipt")?;
    receipts::print(&receipt, app)
}

async fn list(args: &List, app: &App<'_>) -> Result<(), Error> {
    let client = app.config.connect()?.client;
    let incidents = client.incidents().await.context("cannot list incidents")?;
    match args.output {
        ListFormat::Json => app.out.json(&incidents)?,
        ListFormat::Table => app.out.table(&table(&incidents))?,
        ListFormat::Csv => app.out.csv(&table(&incidents))?,
    }
    if incidents.is_empty() {
        app.out.note("No incidents found.");
    }
    Ok(())
}

fn table(incidents: &[Incident]) -> Table {
    let row = |incident: &Incident| {
        vec![
            Cell::Id(incident.id.to_string()),
            Cell::Text(incident.state.clone()),
            Cell::Text(incident.matched.to_string()),
            Cell::Text(incident.expired.to_string()),
            Cell::Text(incident.reason.clone()),
            Cell::Text(incident.by.username.clone()),
            Cell::Time(incident.started_at),
        ]
    };
    let columns = vec!["id", "state", "keys", "expired", "reason", "by", "started at"];
    Table::new(columns, incidents.iter().map(row).collect()).dropping_first(&["expired", "by"])
}

async fn view(args: &View, app: &App<'_>) -> Result<(), Error> {
    let client = app.config.connect()?.client;
    let incident = client.incident(args.id).await.context(format!("cannot view incident {}", args.id));
    let incident = incident.map_err(|error| match error.exit() {
        Exit::NotFound => error.hint("run `keyward incidents list` to see the existing incidents"),
        _ => error,
    })?;
    if args.output == ViewFormat::Json {
        return app.out.json(&incident);
    }
    let text = |text: &dyn ToString| Cell::Text(text.to_string());
    let selector = conditions(&incident.selector)?;
    let mut fields = vec![
        ("id", Cell::Id(incident.id.to_string())),
        ("state", text(&incident.state)),
        ("keys", text(&incident.matched)),
        ("expired", text(&incident.expired)),
        ("expired before", text(&incident.already_expired)),
        ("reason", text(&incident.reason)),
    ];
    fields.extend(incident.note.as_ref().map(|note| ("note", text(note))));
    fields.extend([
        ("selector", Cell::List(selector)),
        ("cascade", text(&if incident.cascade { "yes" } else { "no" })),
        ("by", text(&incident.by.username)),
        ("key id", Cell::Id(incident.by.key_id.clone())),
        ("started at", Cell::Time(incident.started_at)),
    ]);
    fields.extend(incident.ended_at.map(|end| ("ended at", Cell::Time(end))));
    if let Some(barrier) = incident.barrier {
        let all = barrier.confirmed.saturating_add(barrier.lapsed);
        let result = match all {
            0 => "none connected".to_owned(),
            _ => format!("{} of {all} confirmed in {} ms", barrier.confirmed, barrier.waited_ms),
        };
        fields.push(("verifiers", Cell::Text(result)));
    }
    app.out.details(fields)
}

/// The conditions of a selector, such as `user: ada`.
pub(super) fn conditions(selector: &impl Serialize) -> Result<Vec<String>, Error> {
    let json = serde_json::to_value(selector)
        .map_err(|error| Error::failed("cannot write the selector as text").caused_by(error))?;
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    };
    let fields = json.as_object().into_iter().flatten();
    Ok(fields.map(|(name, value)| format!("{}: {}", name.replace('_', " "), text(value))).collect())
}
