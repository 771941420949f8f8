//! `keyward users delete`: deletes a user and expires all their keys.

use keyward_sdk::UserRef;

use crate::App;
use crate::error::{Context, Error};
use crate::prompt;

/// Delete a user and expire all their keys
///
/// The username and e-mail address become available again; the audit log keeps its entries. On a
/// terminal, you must type the username to confirm.
#[derive(Debug, clap::Args)]
#[command(
    visible_alias = "rm",
    after_help = "Examples:
  keyward users delete ada
  keyward users delete ada --yes"
)]
pub(crate) struct Args {
    /// Username or user ID
    user: UserRef,

    /// Skip the confirmation
    #[arg(short, long)]
    yes: bool,
}

pub(crate) async fn run(args: Args, app: &App<'_>) -> Result<(), Error> {
    let client = app.config.connect()?.client;
    let what = format!("cannot delete user \"{}\"", args.user);
    let mut name = args.user.to_string();
    if !args.yes && prompt::is_interactive() {
        name = client.user(&args.user).await.context(what.clone())?.username;
        prompt::confirm_deletion(app.out, &format!("User {name}"), &name)?;
    }
    client.delete_user(&args.user).await.context(what)?;
    app.out.line(&format!("User {name} has been deleted."))
}
