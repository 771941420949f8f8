//! `keyward tokens create`: creates a token and prints it. It can be read only this once.

use std::time::Duration;

use keyward_sdk::{CreateToken, CreatedToken, Lifetime, UserRef, api};

use crate::App;
use crate::args::TextFormat;
use crate::error::{Context, Error};

/// Create a token and print it, alone on stdout
///
/// The token is shown only this once: the server stores only a digest.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  TOKEN=$(keyward tokens create --name ci --lifetime 30d)
  keyward tokens create --scope workspace:read --allow workspace:web-1
  keyward tokens create --user svc-deploy --name nightly -o json")]
pub(crate) struct Args {
    /// Token name, unique among the owner's live tokens [default: a random name]
    #[arg(short, long)]
    name: Option<String>,

    /// Lifetime, such as 90m, 7d or 1d12h [default: set by the server]
    ///
    /// Write whole numbers with a unit: s, m, h, d (24 h), w (7 d), y (365 d).
    #[arg(long, value_name = "DURATION")]
    lifetime: Option<Lifetime>,

    /// Owner of the token: a username, a user ID, or me
    #[arg(short, long, default_value = "me")]
    user: UserRef,

    /// Scopes of the token, such as workspace:read; separated by commas, or repeated [default: all scopes]
    #[arg(long, value_name = "SCOPE", value_delimiter = ',')]
    scope: Vec<String>,

    /// Resources the token may act on, such as workspace:web-1 or workspace:*; separated by commas, or
    /// repeated [default: all resources]
    #[arg(long, value_name = "TYPE:ID", value_delimiter = ',')]
    allow: Vec<String>,

    /// Output format: only the token, or the full response as JSON
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
    let is_unlimited = args.scope.is_empty();
    if !is_unlimited {
        request = request.scopes(args.scope);
    }
    if !args.allow.is_empty() {
        request = request.allow_list(args.allow);
    }
    let created = connection.client.create_token(&args.user, &request).await.context("cannot create the token")?;

    let printed = match args.output {
        TextFormat::Text => app.out.secret(&created.key),
        TextFormat::Json => {
            app.out.json(&api::keys::CreatedToken::new(created.key.expose().to_owned(), created.token.clone()))
        }
    };
    printed.map_err(|error| not_printed(error, &created))?;
    if is_unlimited {
        app.out.note("The token can do everything its owner can; --scope narrows it, as in --scope workspace:read.");
    }
    app.out.terminal_note(&format!(
        "Token \"{}\" ({}) expires at {}. It is shown only this once.",
        created.token.token_name,
        created.id(),
        created.token.expires_at
    ));
    Ok(())
}

/// The error for a token that could not be printed. The token is live and its text is lost, so the
/// run must report this even if stdout is closed.
fn not_printed(error: Error, created: &CreatedToken) -> Error {
    let id = created.id();
    let why = if error.is_silent() { "stdout is closed".to_owned() } else { error.one_line() };
    Error::failed(format!("token {id} was created but could not be printed"))
        .why(why)
        .hint(format!("the token was not printed; expire it with `keyward tokens remove {id}` and create another"))
        .caused_by(error)
}
