//! `keyward tokens create`: makes a token and prints it, the one time that it can be read.

use std::time::Duration;

use keyward_sdk::{CreateToken, CreatedToken, Lifetime, UserRef, api};

use crate::App;
use crate::args::TextFormat;
use crate::error::{Error, Failing};

/// Make a token and print it, alone on stdout
///
/// This is the one time that it can be read: the server keeps only a digest.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  TOKEN=$(keyward tokens create --name ci --lifetime 30d)
  keyward tokens create --scope workspace:read --allow workspace:web-1
  keyward tokens create --user svc-deploy --name nightly -o json")]
pub(crate) struct Args {
    /// Its name, unlike that of any other live token; without it a random one
    #[arg(short, long)]
    name: Option<String>,

    /// How long it lives, such as 90m, 7d or 1d12h; without it the server's default
    ///
    /// Whole numbers with a unit: s, m, h, d (24 h), w (7 d), y (365 d).
    #[arg(long, value_name = "DURATION")]
    lifetime: Option<Lifetime>,

    /// Whose token it will be: a username, a user's id, or me
    #[arg(short, long, default_value = "me")]
    user: UserRef,

    /// What it may do, such as workspace:read; may be repeated, and without it everything
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,

    /// What it may do it to, such as workspace:web-1 or workspace:*; may be repeated, and
    /// without it everything
    #[arg(long, value_name = "TYPE:ID")]
    allow: Vec<String>,

    /// Print the token alone, or the server's whole answer
    #[arg(short, long, value_enum, default_value = "text")]
    output: TextFormat,
}

pub(crate) async fn run(args: Args, app: &App<'_>) -> Result<(), Error> {
    let connection = app.config.connect()?;
    let mut request = CreateToken::new();
    if let Some(name) = args.name {
        request = request.name(name);
    }
    if let Some(lifetime) = args.lifetime {
        request = request.lifetime(Duration::from_nanos(lifetime.as_nanos().unsigned_abs()));
    }
    if !args.scope.is_empty() {
        request = request.scopes(args.scope);
    }
    if !args.allow.is_empty() {
        request = request.allow_list(args.allow);
    }
    let created = connection.client.create_token(&args.user, &request).await.failing("cannot create the token")?;

    let printed = match args.output {
        TextFormat::Text => app.out.secret(&created.key),
        TextFormat::Json => {
            app.out.json(&api::keys::CreatedToken::new(created.key.expose().to_owned(), created.token.clone()))
        }
    };
    printed.map_err(|error| unseen(error, &created))?;
    app.out.aside(&format!(
        "Token \"{}\" ({}) lives until {}. It is shown this once.",
        created.token.token_name,
        created.id(),
        created.token.expires_at
    ));
    Ok(())
}

/// A token that nobody could read is of no use, and lives on: that must be said even where the
/// reader of stdout has gone away.
fn unseen(error: Error, created: &CreatedToken) -> Error {
    let id = created.id();
    let told = Error::failed(format!("token {id} was created, and could not be printed"));
    let told = if error.is_silent() { told.why("nobody reads from stdout") } else { told.why(error.in_a_line()) };
    told.hint(format!("nobody has read it; expire it with `keyward tokens remove {id}` and create another"))
        .caused_by(error)
}
