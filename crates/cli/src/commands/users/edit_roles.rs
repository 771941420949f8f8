//! `keyward users edit-roles`: replaces the roles of a user.

use keyward_sdk::UserRef;

use crate::App;
use crate::error::{Context, Error};

/// Replace a user's roles; without --role the user is only a member
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  keyward users edit-roles ada --role user-admin --role auditor
  keyward users edit-roles ada")]
pub(crate) struct Args {
    /// Username or user ID
    user: UserRef,

    /// Role: owner, user-admin, auditor or verifier; may be repeated
    #[arg(long, value_name = "ROLE")]
    role: Vec<String>,
}

pub(crate) async fn run(args: Args, app: &App<'_>) -> Result<(), Error> {
    let client = app.config.connect()?.client;
    let what = format!("cannot edit the roles of user \"{}\"", args.user);
    let user = client.update_user_roles(&args.user, &args.role).await.context(what)?;
    let roles: Vec<_> = user.roles.iter().map(|role| role.name.as_str()).collect();
    let roles = if roles.is_empty() { "member".to_owned() } else { roles.join(", ") };
    app.out.line(&format!("Roles of user {} are now: {roles}.", user.username))
}
