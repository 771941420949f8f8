//! `keyward audit list --follow`: prints new entries as they are written.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use keyward_sdk::types::{AuditLog, Uuid};
use keyward_sdk::{AuditFilter, Client};

use crate::App;
use crate::args::ViewFormat;
use crate::error::{Context, Error};
use crate::exit::Exit;

/// How often the server is asked for new entries.
const INTERVAL: Duration = Duration::from_secs(1);

/// The number of the newest entries among which new ones are looked for. Entries are ordered by time, and one
/// that was written later may be a little older.
pub(super) const WINDOW: u32 = 100;

/// The number of entries that are remembered as printed: far more than the window has.
const REMEMBERED: usize = 10_000;

/// The entries that were printed.
#[derive(Default)]
pub(super) struct Printed {
    ids: HashSet<Uuid>,
    order: VecDeque<Uuid>,
}

impl Printed {
    /// Remembers the entries and returns those that are new.
    pub(super) fn new_of(&mut self, entries: Vec<AuditLog>) -> Vec<AuditLog> {
        let new: Vec<AuditLog> = entries.into_iter().filter(|entry| self.ids.insert(entry.id)).collect();
        self.order.extend(new.iter().map(|entry| entry.id));
        while self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        new
    }
}

/// Prints new entries, the oldest first, until the user ends it.
pub(super) async fn run(
    client: &Client,
    filter: AuditFilter,
    printed: Printed,
    output: ViewFormat,
    app: &App<'_>,
) -> Result<(), Error> {
    tokio::select! {
        ended = poll(client, filter, printed, output, app) => ended,
        // Without a handler, Ctrl-C ends the program as usual.
        Ok(()) = tokio::signal::ctrl_c() => Ok(()),
    }
}

async fn poll(
    client: &Client,
    filter: AuditFilter,
    mut printed: Printed,
    output: ViewFormat,
    app: &App<'_>,
) -> Result<(), Error> {
    let mut is_away = false;
    loop {
        tokio::time::sleep(INTERVAL).await;
        match newest(client, &filter, &mut printed).await {
            Ok(new) => {
                is_away = false;
                print(&new, output, app)?;
            }
            // A server that restarts is waited for.
            Err(error) if error.exit() == Exit::Unreachable => {
                if !std::mem::replace(&mut is_away, true) {
                    app.out.warn(&format!("{}; trying again", error.one_line()));
                }
            }
            Err(error) => return Err(error),
        }
    }
}

/// The entries that were not printed, the oldest first.
async fn newest(client: &Client, filter: &AuditFilter, printed: &mut Printed) -> Result<Vec<AuditLog>, Error> {
    let mut filter = AuditFilter { limit: Some(WINDOW), after: None, ..filter.clone() };
    let mut all = Vec::new();
    loop {
        let page = client.audit_logs(&filter).await.context(super::list::FAILED)?;
        let has_printed = page.items.audit_logs.iter().any(|entry| printed.ids.contains(&entry.id));
        all.extend(page.items.audit_logs);
        match page.next {
            Some(cursor) if !has_printed => filter.after = Some(cursor),
            Some(_) | None => break,
        }
    }
    // Not before all pages were read: after an error they are read again.
    let mut new = printed.new_of(all);
    new.reverse();
    Ok(new)
}

/// Prints entries: rows of the table without its header, or one line of JSON each.
pub(super) fn print(entries: &[AuditLog], output: ViewFormat, app: &App<'_>) -> Result<(), Error> {
    match output {
        ViewFormat::Json => entries.iter().try_for_each(|entry| app.out.json_line(entry)),
        ViewFormat::Table => app.out.table(&super::list::table(entries).without_header()),
    }
}
