//! `keyward users password`: sets a password, one's own or another's.

use keyward_sdk::{Client, UserRef};

use crate::App;
use crate::error::{Error, Failing};
use crate::prompt;

/// Set a password, which expires all keys of its user
///
/// One's own needs the old password as well, and ends the session in use.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  keyward users password me
  keyward users password ada --password-stdin < new-password
  printf '%s\\n' \"$OLD\" \"$NEW\" | keyward users password me --password-stdin")]
pub(crate) struct Args {
    /// A username, a user's id, or me
    user: UserRef,

    /// Read the password from stdin: a line, and for one's own two, the old one and the new one
    #[arg(long)]
    password_stdin: bool,
}

pub(crate) async fn run(args: Args, app: &App<'_>) -> Result<(), Error> {
    let client = app.config.connect()?.client;
    let own = is_own(&client, &args.user).await?;
    let old = if own { Some(old_password(&args, app)?) } else { None };
    let new = prompt::chosen_password(app.out, args.password_stdin)?;
    let what = format!("cannot set the password of user \"{}\"", args.user);
    client.update_password(&args.user, old.as_ref(), &new).await.failing(what)?;
    app.out.line("Password has been changed, and all keys of the user have been expired.")?;
    if own {
        app.out.note("Your session is one of them: run `keyward login`.");
    }
    Ok(())
}

/// Is it the password of the one who asks, by whatever name?
async fn is_own(client: &Client, user: &UserRef) -> Result<bool, Error> {
    if *user == UserRef::Me {
        return Ok(true);
    }
    let me = client.user(&UserRef::Me).await.failing("cannot tell who you are")?;
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
            "for one's own password --password-stdin wants the old one and the new one, each",
        )
    } else if prompt::is_interactive() {
        prompt::secret(app.out, QUESTION)
    } else {
        Err(prompt::no_terminal("the old and the new password are needed", &["--password-stdin"]))
    }
}
