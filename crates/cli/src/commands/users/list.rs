//! `keyward users list`: lists the users that the caller may read.

use keyward_sdk::UsersFilter;
use keyward_sdk::types::User;

use super::role_cell;
use crate::App;
use crate::args::ViewFormat;
use crate::error::{Context, Error};
use crate::output::{Cell, Table};

/// List the users that you may read
#[derive(Debug, clap::Args)]
#[command(
    visible_alias = "ls",
    after_help = "Examples:
  keyward users list
  keyward users list --search example.com -o json"
)]
pub(crate) struct Args {
    /// Only users whose username, name or e-mail address contains this text
    #[arg(short = 'q', long = "search", value_name = "TEXT")]
    search: Option<String>,

    /// Output format
    #[arg(short, long, value_enum, default_value = "table")]
    output: ViewFormat,
}

pub(crate) async fn run(args: Args, app: &App<'_>) -> Result<(), Error> {
    let client = app.config.connect()?.client;
    let users = client.users(&UsersFilter { q: args.search }).await.context("cannot list users")?;
    match args.output {
        ViewFormat::Json => app.out.json(&users)?,
        ViewFormat::Table => app.out.table(&table(&users))?,
    }
    if users.is_empty() {
        app.out.note("No users found.");
    }
    Ok(())
}

fn table(users: &[User]) -> Table {
    let row = |user: &User| {
        vec![
            Cell::Text(user.username.clone()),
            Cell::Text(user.name.clone()),
            Cell::Text(user.email.clone()),
            role_cell(user),
            Cell::Text(user.status.clone()),
            Cell::Text(user.login_type.clone()),
            Cell::Time(user.last_seen_at),
            Cell::Time(user.created_at),
        ]
    };
    let columns = vec!["username", "name", "email", "roles", "status", "login type", "last seen", "created at"];
    Table::new(columns, users.iter().map(row).collect())
}
