//! `keyward users password`: sets the password of the caller or of another user.

use keyward_sdk::{Client, UserRef};

use crate::App;
use crate::error::{Context, Error};
use crate::prompt;

/// Set a user's password and expire all their keys
///
/// Your own password also needs the old one; your session then ends.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  keyward users password me
  keyward users password ada --password-stdin < new-password
  printf '%s\\n' \"$OLD\" \"$NEW\" | keyward users password me --password-stdin")]
pub(crate) struct Args {
    /// Username, user ID, or me
    user: UserRef,

    /// Read the password from stdin, as one line; for your own password, the old one on a line before it
    #[arg(long)]
    password_stdin: bool,
}

pub(crate) async fn run(args: Args, app: &App<'_>) -> Result<(), Error> {
    let client = app.config.connect()?.client;
    let own = is_own(&client, &args.user).await?;
    let old = if own { Some(old_password(&args, app)?) } else { None };
    let new = prompt::read_new_password(app.out, args.password_stdin)?;
    let what = format!("cannot set the password of user \"{}\"", args.user);
    client.update_password(&args.user, old.as_ref(), &new).await.context(what)?;
    app.out.line("Password has been changed, and all keys of the user have been expired.")?;
    if own {
        app.out.note("This includes your session: run `keyward login`.");
    }
    Ok(())
}

/// Whether `user` is the caller, by any of the caller's names.
async fn is_own(client: &Client, user: &UserRef) -> Result<bool, Error> {
    if *user == UserRef::Me {
        return Ok(true);
    }
    let me = client.user(&UserRef::Me).await.context("cannot get the current user")?;
    Ok(match user {
        UserRef::Me => true,
        UserRef::Id(id) => *id == me.id,
        UserRef::Name(name) => name.eq_ignore_ascii_case(&me.username),
    })
}

fn old_password(args: &Args, app: &App<'_>) -> Result<keyward_sdk::SecretString, Error> {
    const QUESTION: &str = "Old password: ";
    if args.password_stdin {
        prompt::secret_from_stdin(
            app.out,
            QUESTION,
            "for your own password, --password-stdin needs the old and the new password, each",
        )
    } else if prompt::is_interactive() {
        prompt::secret(app.out, QUESTION)
    } else {
        Err(prompt::no_terminal("the old and the new password are needed", &["--password-stdin"]))
    }
}
