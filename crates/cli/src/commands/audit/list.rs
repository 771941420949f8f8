//! `keyward audit list`: the audit log, newest first.

use keyward_sdk::AuditFilter;
use keyward_sdk::types::AuditLog;

use super::follow::{self, Printed, WINDOW};
use crate::App;
use crate::args::ViewFormat;
use crate::error::{Context, Error};
use crate::output::{Cell, Table};

/// List audit log entries, newest first
#[derive(Debug, clap::Args)]
#[command(
    visible_alias = "ls",
    after_help = "Examples:
  keyward audit list --resource-type api_key --action write
  keyward audit list --username ada --date-from 2026-01-01 -o json
  keyward audit list --resource-target ci --limit 20
  keyward audit list --event key.expired --follow -o json"
)]
pub(crate) struct List {
    /// Only actions on resources of this type: api_key, user, audit_log or clock
    #[arg(long, value_name = "TYPE")]
    resource_type: Option<String>,
    /// Only actions on the resource with this ID
    #[arg(long, value_name = "ID")]
    resource_id: Option<String>,
    /// Only actions on resources with this name
    #[arg(long, value_name = "NAME")]
    resource_target: Option<String>,
    /// Only this action: create, write, delete, login or logout; expiring a key is a write
    #[arg(long)]
    action: Option<String>,
    /// Only actions of the user with this username
    #[arg(long)]
    username: Option<String>,
    /// Only actions of the user with this e-mail address
    #[arg(long)]
    email: Option<String>,
    /// Only requests from this IP address
    #[arg(long)]
    ip: Option<String>,
    /// Only entries from this date or time on
    #[arg(long, value_name = "DATE")]
    date_from: Option<String>,
    /// Only entries up to this date or time
    #[arg(long, value_name = "DATE")]
    date_to: Option<String>,
    /// Only the request with this ID
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// Only this event, such as key.expired or user.suspended
    #[arg(long)]
    event: Option<String>,
    /// Only what was done with the key with this ID
    #[arg(long, value_name = "ID")]
    key_id: Option<String>,
    /// Only the incident with this ID
    #[arg(long, value_name = "ID")]
    incident: Option<String>,

    /// Maximum number of entries
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,

    /// All entries, however many
    #[arg(long, conflicts_with = "limit")]
    all: bool,

    /// Print the entries oldest first, and then new ones as they are written, until Ctrl-C
    ///
    /// JSON is then one entry per line.
    #[arg(short, long)]
    follow: bool,

    /// Output format
    #[arg(short, long, value_enum, default_value = "table")]
    output: ViewFormat,
}

/// The maximum number of entries on a page of the server.
const MAX_PAGE: u32 = 1_000;

pub(super) const FAILED: &str = "cannot read the audit log";

pub(crate) async fn run(args: List, app: &App<'_>) -> Result<(), Error> {
    let client = app.config.connect()?.client;
    let mut filter = AuditFilter { q: args.query()?, ..AuditFilter::default() };
    let mut entries: Vec<AuditLog> = Vec::new();
    let limit = if args.all { u32::MAX } else { args.limit };
    // Following compares new pages with the entries of this one.
    let mut left = if args.follow { limit.max(WINDOW) } else { limit };
    let mut has_more = false;
    while left > 0 {
        filter.limit = Some(left.min(MAX_PAGE));
        let page = client.audit_logs(&filter).await.context(FAILED)?;
        left = left.saturating_sub(u32::try_from(page.items.audit_logs.len()).unwrap_or(u32::MAX));
        entries.extend(page.items.audit_logs);
        has_more = page.next.is_some();
        match page.next {
            Some(cursor) => filter.after = Some(cursor),
            None => break,
        }
    }
    if args.follow {
        let mut printed = Printed::default();
        let mut entries = printed.new_of(entries);
        entries.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        entries.reverse();
        match args.output {
            ViewFormat::Json => follow::print(&entries, args.output, app)?,
            ViewFormat::Table => app.out.table(&table(&entries))?,
        }
        return follow::run(&client, filter, printed, args.output, app).await;
    }

    match args.output {
        ViewFormat::Json => app.out.json(&entries)?,
        ViewFormat::Table => app.out.table(&table(&entries))?,
    }
    if entries.is_empty() {
        app.out.note("No audit entries found.");
    } else if has_more {
        app.out.note(&format!("more than {limit}; --limit N or --all"));
    }
    Ok(())
}

impl List {
    /// The filters in the syntax of the server's search; `None` without filters.
    fn query(&self) -> Result<Option<String>, Error> {
        let terms = [
            ("resource_type", &self.resource_type),
            ("resource_id", &self.resource_id),
            ("resource_target", &self.resource_target),
            ("action", &self.action),
            ("username", &self.username),
            ("email", &self.email),
            ("ip", &self.ip),
            ("date_from", &self.date_from),
            ("date_to", &self.date_to),
            ("request_id", &self.request_id),
            ("event", &self.event),
            ("key_id", &self.key_id),
            ("incident", &self.incident),
        ];
        let given = terms.into_iter().filter_map(|(key, value)| value.as_deref().map(|value| term(key, value)));
        let terms = given.collect::<Result<Vec<_>, _>>()?;
        Ok(Some(terms.join(" ")).filter(|query| !query.is_empty()))
    }
}

/// `key:value`. Quotes a value that the search would otherwise split at a space or a colon.
fn term(key: &str, value: &str) -> Result<String, Error> {
    if value.contains('"') {
        return Err(Error::usage(format!("the value of --{} must not contain a double quote", key.replace('_', "-"))));
    }
    let plain = !value.is_empty() && !value.contains(|symbol: char| symbol == ':' || symbol.is_whitespace());
    Ok(if plain { format!("{key}:{value}") } else { format!("{key}:\"{value}\"") })
}

pub(super) fn table(entries: &[AuditLog]) -> Table {
    let row = |entry: &AuditLog| {
        let user = entry.user.as_ref().map_or_else(String::new, |user| user.username.clone());
        vec![
            Cell::Time(entry.time),
            Cell::Text(user),
            Cell::Text(entry.event.clone()),
            Cell::Text(entry.action.clone()),
            Cell::Text(entry.resource_type.clone()),
            Cell::Text(entry.resource_target.clone()),
            Cell::Text(entry.resource_id.clone()),
            Cell::Text(entry.status_code.to_string()),
            Cell::Text(entry.ip.clone()),
        ]
    };
    let columns = vec!["time", "user", "event", "action", "type", "target", "resource id", "status", "ip"];
    // The event says what the action and the type say, and more.
    Table::new(columns, entries.iter().map(row).collect()).dropping_first(&["action", "type", "ip", "status"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_the_search_would_split_are_quoted() {
        for (value, written) in [
            ("write", "k_y:write"),
            ("my token", "k_y:\"my token\""),
            ("2026-01-31T12:00:00Z", "k_y:\"2026-01-31T12:00:00Z\""),
            ("::1", "k_y:\"::1\""),
            ("", "k_y:\"\""),
        ] {
            assert_eq!(term("k_y", value).unwrap(), written);
        }
        assert_eq!(term("k_y", "a\"b").unwrap_err().to_string(), "the value of --k-y must not contain a double quote");
    }
}
