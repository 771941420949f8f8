//! `keyward whoami`: the current user, the server, the key and the source of the key.

use serde::Serialize;

use keyward_sdk::{KeyId, UserRef};

use crate::App;
use crate::args::ViewFormat;
use crate::error::{Context, Error};
use crate::output::Cell;

/// Show the current user, the server and the credential's source
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  keyward whoami
  keyward whoami -o json")]
pub(crate) struct Args {
    /// Output format
    #[arg(short, long, value_enum, default_value = "table")]
    output: ViewFormat,
}

#[derive(Serialize)]
struct Whoami<'a> {
    username: &'a str,
    user_id: String,
    name: &'a str,
    email: &'a str,
    roles: Vec<&'a str>,
    url: &'a str,
    /// Null if the credential is not a Keyward key.
    key_id: Option<String>,
    /// `KEYWARD_SESSION_TOKEN`, or the path of the session file.
    source: String,
}

pub(crate) async fn run(args: &Args, app: &App<'_>) -> Result<(), Error> {
    let connection = app.config.connect()?;
    let user = connection.client.user(&UserRef::Me).await.context("cannot get the current user")?;
    let me = Whoami {
        username: &user.username,
        user_id: user.id.to_string(),
        name: &user.name,
        email: &user.email,
        roles: user.roles.iter().map(|role| role.name.as_str()).collect(),
        url: connection.url.as_str(),
        key_id: KeyId::leading(connection.credential.token.expose()).map(|id| id.to_string()),
        source: connection.credential.source.to_string(),
    };
    match args.output {
        ViewFormat::Json => app.out.json(&me),
        ViewFormat::Table => {
            let text = |text: &str| Cell::Text(text.to_owned());
            app.out.details(vec![
                ("user", text(me.username)),
                ("name", text(me.name)),
                ("email", text(me.email)),
                ("roles", super::users::role_cell(&user)),
                ("url", text(me.url)),
                ("key id", text(me.key_id.as_deref().unwrap_or("unknown"))),
                ("credential from", Cell::Text(me.source)),
            ])
        }
    }
}
