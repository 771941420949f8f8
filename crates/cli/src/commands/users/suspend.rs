//! `keyward users suspend`: suspends a user, whose keys stop working at once.

use keyward_sdk::UserRef;

use crate::App;
use crate::error::{Context, Error};

/// Suspend a user: their keys stop working at once, until the user is activated
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  keyward users suspend ada")]
pub(crate) struct Args {
    /// Username or user ID
    user: UserRef,
}

pub(crate) async fn run(args: Args, app: &App<'_>) -> Result<(), Error> {
    let client = app.config.connect()?.client;
    let user = client.suspend_user(&args.user).await.context(format!("cannot suspend user \"{}\"", args.user))?;
    app.out.line(&format!("User {} has been suspended.", user.username))
}
