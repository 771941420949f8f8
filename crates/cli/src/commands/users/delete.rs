//! `keyward users delete`: removes a user and expires all their keys.

use keyward_sdk::UserRef;

use crate::App;
use crate::error::{Error, Failing};
use crate::prompt;

/// Delete a user and expire all their keys
///
/// The name and the e-mail address become free; the audit log keeps what there was. On a terminal
/// the username has to be typed first.
#[derive(Debug, clap::Args)]
#[command(visible_alias = "rm")]
pub(crate) struct Args {
    /// A username or a user's id
    user: UserRef,

    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

pub(crate) async fn run(args: Args, app: &App<'_>) -> Result<(), Error> {
    let client = app.config.connect()?.client;
    let what = format!("cannot delete user \"{}\"", args.user);
    let mut name = args.user.to_string();
    if !args.yes && prompt::is_interactive() {
        name = client.user(&args.user).await.failing(what.clone())?.username;
        prompt::confirm_removal(app.out, &format!("User {name}"), &name)?;
    }
    client.delete_user(&args.user).await.failing(what)?;
    app.out.line(&format!("User {name} has been deleted."))
}
