//! `keyward tokens list`: the tokens, or sessions, as the server lists them.

use keyward_sdk::types::{ApiKeyWithOwner, LoginType};
use keyward_sdk::{Client, KeysFilter, TokensFilter, UserRef};

use super::column::Column;
use super::hidden::{self, Hidden};
use crate::App;
use crate::args::ListFormat;
use crate::error::{Error, Failing};
use crate::output::Table;

/// List tokens, those that live longest first
///
/// Expired ones are hidden unless --include-expired is given.
#[derive(Debug, clap::Args)]
#[command(
    visible_alias = "ls",
    after_help = "Examples:
  keyward tokens list
  keyward tokens list --all --include-expired -o csv
  keyward tokens list -c name,expires-at"
)]
pub(crate) struct Args {
    /// The tokens of all users that you may read, with their owners
    #[arg(short, long, conflicts_with_all = ["user", "sessions"])]
    all: bool,

    /// The expired ones too
    #[arg(long)]
    include_expired: bool,

    /// Sessions, made by logging in, in the place of tokens
    #[arg(long)]
    sessions: bool,

    /// Whose: a username, a user's id, or me
    #[arg(short, long, default_value = "me")]
    user: UserRef,

    /// Which columns, in which order; may be repeated, or separated by commas
    #[arg(short, long = "column", value_name = "COLUMN", value_enum, value_delimiter = ',', ignore_case = true)]
    columns: Vec<Column>,

    /// How to print them
    #[arg(short, long, value_enum, default_value = "table")]
    output: ListFormat,
}

pub(crate) async fn run(args: Args, app: &App<'_>) -> Result<(), Error> {
    let client = app.config.connect()?.client;
    let (keys, hidden) = if args.sessions { sessions(&args, &client).await? } else { tokens(&args, &client).await? };

    match args.output {
        ListFormat::Json => app.out.json(&keys)?,
        ListFormat::Table => app.out.table(&table(&args, &keys))?,
        ListFormat::Csv => app.out.csv(&table(&args, &keys))?,
    }
    let kind = if args.sessions { "session" } else { "token" };
    if keys.is_empty() {
        app.out.note(&format!("No {kind}s found."));
    }
    match hidden {
        Ok(hidden) => {
            if let Some(sentence) = hidden.sentence(kind) {
                app.out.note(&sentence);
            }
        }
        // The list itself is whole, and that was what was asked for.
        Err(error) => app.out.warn(&format!("cannot tell how many expired {kind}s are hidden: {error}")),
    }
    Ok(())
}

/// What is listed, and how many the list hides.
type Listed = (Vec<ApiKeyWithOwner>, Result<Hidden, keyward_sdk::Error>);

async fn tokens(args: &Args, client: &Client) -> Result<Listed, Error> {
    let filter = TokensFilter { include_all: args.all, include_expired: args.include_expired };
    if args.include_expired {
        let keys = client.tokens(&args.user, &filter).await.failing("cannot list tokens")?;
        return Ok((keys, Ok(Hidden::default())));
    }
    // The page with the expired ones comes first: a token that is made between the two requests
    // is then on neither side, and not taken for a hidden one.
    let query = hidden::Query { client, user: &args.user, include_all: args.all };
    let first = match query.first_page().await {
        Err(error @ keyward_sdk::Error::Transport(_)) => return Err(error).failing("cannot list tokens"),
        first => first,
    };
    let keys = client.tokens(&args.user, &filter).await.failing("cannot list tokens")?;
    let hidden = match first {
        Ok(page) => query.count(page, &keys).await,
        Err(error) => Err(error),
    };
    Ok((keys, hidden))
}

/// The server lists the keys of every login type; the sessions among them are one kind of thing.
async fn sessions(args: &Args, client: &Client) -> Result<Listed, Error> {
    let list = async |include_expired| {
        let mut keys = client.api_keys(&args.user, &KeysFilter { include_expired }).await?;
        keys.retain(|key| key.key.login_type == LoginType::Password);
        Ok::<_, keyward_sdk::Error>(keys)
    };
    if args.include_expired {
        return Ok((list(true).await.failing("cannot list sessions")?, Ok(Hidden::default())));
    }
    let with_expired = list(true).await;
    let keys = list(false).await.failing("cannot list sessions")?;
    let hidden = with_expired.map(|all| Hidden::among(&all, &keys));
    Ok((keys, hidden))
}

fn table(args: &Args, keys: &[ApiKeyWithOwner]) -> Table {
    let columns = if args.columns.is_empty() {
        let owner = args.all.then_some(Column::Owner);
        Column::USUAL.into_iter().chain(owner).collect()
    } else {
        args.columns.clone()
    };
    let row = |key: &ApiKeyWithOwner| columns.iter().map(|column| column.cell(&key.key, &key.username)).collect();
    Table::new(columns.iter().map(|column| column.name()).collect(), keys.iter().map(row).collect())
}
