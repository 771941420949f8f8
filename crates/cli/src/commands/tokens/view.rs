//! `keyward tokens view`: shows one key, live or expired.

use keyward_sdk::UserRef;
use keyward_sdk::types::LoginType;

use super::column::Column;
use super::key_ref::Target;
use crate::App;
use crate::args::ViewFormat;
use crate::error::Error;
use crate::output::Cell;

/// Show a token, or a session by its ID
///
/// A name selects the live token; without one, the token that expired last.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  keyward tokens view ci
  keyward tokens view kwd_a1B2c3D4e5 -o json
  keyward tokens view nightly --user svc-deploy")]
pub(crate) struct Args {
    /// Token name, ID, or the token itself, of which only the ID is used; `-` reads it from stdin
    #[arg(value_name = "NAME|ID|TOKEN")]
    token: Target,

    /// Owner of the token: a username, a user ID, or me
    #[arg(short, long, default_value = "me")]
    user: UserRef,

    /// Output format
    #[arg(short, long, value_enum, default_value = "table")]
    output: ViewFormat,
}

pub(crate) async fn run(args: Args, app: &App<'_>) -> Result<(), Error> {
    let wanted = args.token.resolve(app)?;
    let client = app.config.connect()?.client;
    let key = wanted.find(&client, &args.user, "view").await?;
    match args.output {
        ViewFormat::Json => app.out.json(&key),
        ViewFormat::Table => {
            let kind = match key.login_type {
                LoginType::Token => "token",
                LoginType::Password => "session",
                _ => "other",
            };
            let mut fields: Vec<_> =
                Column::DEFAULT.into_iter().map(|column| (column.name(), column.cell(&key, ""))).collect();
            fields.push(("kind", Cell::Text(kind.to_owned())));
            fields.push(("owner id", Cell::Text(key.user_id.to_string())));
            app.out.details(fields)
        }
    }
}
