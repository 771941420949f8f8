//! `keyward users view`: shows one user.

use keyward_sdk::UserRef;

use super::role_cell;
use crate::App;
use crate::args::ViewFormat;
use crate::error::{Context, Error};
use crate::output::Cell;

/// Show a user
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  keyward users view me
  keyward users view ada -o json")]
pub(crate) struct Args {
    /// Username, user ID, or me
    user: UserRef,

    /// Output format
    #[arg(short, long, value_enum, default_value = "table")]
    output: ViewFormat,
}

pub(crate) async fn run(args: Args, app: &App<'_>) -> Result<(), Error> {
    let client = app.config.connect()?.client;
    let user = client.user(&args.user).await.context(format!("cannot view user \"{}\"", args.user))?;
    match args.output {
        ViewFormat::Json => app.out.json(&user),
        ViewFormat::Table => app.out.details(vec![
            ("id", Cell::Text(user.id.to_string())),
            ("roles", role_cell(&user)),
            ("username", Cell::Text(user.username)),
            ("name", Cell::Text(user.name)),
            ("email", Cell::Text(user.email)),
            ("status", Cell::Text(user.status)),
            ("login type", Cell::Text(user.login_type)),
            ("last seen", Cell::Time(user.last_seen_at)),
            ("created at", Cell::Time(user.created_at)),
        ]),
    }
}
