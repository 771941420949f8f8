//! `keyward users activate`: lets a suspended user's keys work again.

use keyward_sdk::UserRef;

use crate::App;
use crate::error::{Error, Failing};

/// Activate a suspended user: their keys work again, if they have not expired
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A username or a user's id
    user: UserRef,
}

pub(crate) async fn run(args: Args, app: &App<'_>) -> Result<(), Error> {
    let client = app.config.connect()?.client;
    let user = client.activate_user(&args.user).await.failing(format!("cannot activate user \"{}\"", args.user))?;
    app.out.line(&format!("User {} has been activated.", user.username))
}
