//! `keyward users activate`: activates a suspended user, so that their keys work again.

use keyward_sdk::UserRef;

use crate::App;
use crate::error::{Context, Error};

/// Activate a suspended user: their unexpired keys work again
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  keyward users activate ada")]
pub(crate) struct Args {
    /// Username or user ID
    user: UserRef,
}

pub(crate) async fn run(args: Args, app: &App<'_>) -> Result<(), Error> {
    let client = app.config.connect()?.client;
    let user = client.activate_user(&args.user).await.context(format!("cannot activate user \"{}\"", args.user))?;
    app.out.line(&format!("User {} has been activated.", user.username))
}
