//! `keyward tokens list`: the tokens or sessions, in the server's order.

use clap::ValueEnum;
use keyward_sdk::types::{ApiKeyWithOwner, LoginType};
use keyward_sdk::{Client, KeySort, KeysFilter, SortOrder, TokensFilter, UserRef};

use super::column::Column;
use super::conditions::Conditions;
use super::hidden::{self, HiddenCount};
use crate::App;
use crate::args::ListFormat;
use crate::error::{Context, Error};
use crate::output::Table;

/// List tokens, latest expiry first
///
/// Expired tokens are hidden without --include-expired, --status expired or --end-reason. A date is
/// midnight UTC.
#[derive(Debug, clap::Args)]
#[command(
    visible_alias = "ls",
    after_help = "Examples:
  keyward tokens list
  keyward tokens list --all --include-expired -o csv
  keyward tokens list -c name,expires-at
  keyward tokens list --sessions --user ada
  keyward tokens list --all --scope workspace:read --used-after 2h --sort last-used
  keyward tokens list --all --never-used --created-before 2026-11-01
  keyward tokens list --status expired -c name,end-reason,minted-by"
)]
pub(crate) struct Args {
    /// List the tokens of all users that you may read, with their owners
    #[arg(short, long, conflicts_with_all = ["user", "sessions"])]
    all: bool,

    /// Include expired tokens
    #[arg(long)]
    include_expired: bool,

    /// List login sessions instead of tokens
    #[arg(long)]
    sessions: bool,

    /// Owner of the tokens: a username, a user ID, or me
    #[arg(short, long, default_value = "me")]
    user: UserRef,

    /// Columns to print, in this order; may be repeated or separated by commas
    #[arg(short, long = "column", value_name = "COLUMN", value_enum, value_delimiter = ',', ignore_case = true)]
    columns: Vec<Column>,

    /// What the list is ordered by
    #[arg(long, value_enum, default_value = "expires-at")]
    sort: Sort,

    /// Latest first (desc) or earliest first (asc)
    #[arg(long, value_enum, default_value = "desc")]
    order: Order,

    /// Output format
    #[arg(short, long, value_enum, default_value = "table")]
    output: ListFormat,

    #[command(flatten)]
    conditions: Conditions,
}

/// What a list is ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Sort {
    /// Time of expiry.
    #[value(name = "expires-at", alias = "expires_at")]
    ExpiresAt,
    /// Time of creation.
    #[value(name = "created-at", alias = "created_at")]
    CreatedAt,
    /// Time of the last use.
    #[value(name = "last-used", alias = "last_used")]
    LastUsed,
}

/// The direction of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Order {
    /// Latest first.
    Desc,
    /// Earliest first.
    Asc,
}

impl Args {
    fn sort(&self) -> (KeySort, SortOrder) {
        let sort = match self.sort {
            Sort::ExpiresAt => KeySort::ExpiresAt,
            Sort::CreatedAt => KeySort::CreatedAt,
            Sort::LastUsed => KeySort::LastUsed,
        };
        let order = match self.order {
            Order::Desc => SortOrder::Desc,
            Order::Asc => SortOrder::Asc,
        };
        (sort, order)
    }
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
        if !args.all && !args.sessions && args.user == UserRef::Me && !args.conditions.is_empty() {
            app.out.note("only your own tokens were searched; --all searches all that you may read");
        }
    }
    match hidden {
        Ok(hidden) => {
            if let Some(note) = hidden.note(kind) {
                app.out.note(&note);
            }
        }
        // The list itself is complete, so a failed count is only a warning.
        Err(error) => app.out.warn(&format!("cannot count the hidden expired {kind}s: {error}")),
    }
    Ok(())
}

/// The listed keys, and the number of keys that the list hides.
type Listed = (Vec<ApiKeyWithOwner>, Result<HiddenCount, keyward_sdk::Error>);

async fn tokens(args: &Args, client: &Client) -> Result<Listed, Error> {
    let (sort, order) = args.sort();
    let selector = args.conditions.selector();
    let filter = TokensFilter {
        include_all: args.all,
        include_expired: args.include_expired,
        selector: selector.clone(),
        sort,
        order,
    };
    if args.include_expired {
        let keys = client.tokens(&args.user, &filter).await.context("cannot list tokens")?;
        return Ok((keys, Ok(HiddenCount::default())));
    }
    // Fetch the page with expired tokens first, so that a token that is created between the two
    // requests is not on it and is not counted as hidden.
    let query = hidden::Query { client, user: &args.user, include_all: args.all, selector: &selector };
    let first = match query.first_page().await {
        Err(error @ keyward_sdk::Error::Transport(_)) => return Err(error).context("cannot list tokens"),
        first => first,
    };
    let keys = client.tokens(&args.user, &filter).await.context("cannot list tokens")?;
    let hidden = match first {
        Ok(page) => query.count(page, &keys).await,
        Err(error) => Err(error),
    };
    Ok((keys, hidden))
}

/// The server lists keys of every login type, so this keeps only the sessions.
async fn sessions(args: &Args, client: &Client) -> Result<Listed, Error> {
    let list = async |include_expired| {
        let (sort, order) = args.sort();
        let filter = KeysFilter { include_expired, selector: args.conditions.selector(), sort, order };
        let mut keys = client.api_keys(&args.user, &filter).await?;
        keys.retain(|key| key.key.login_type == LoginType::Password);
        Ok::<_, keyward_sdk::Error>(keys)
    };
    if args.include_expired {
        return Ok((list(true).await.context("cannot list sessions")?, Ok(HiddenCount::default())));
    }
    let with_expired = list(true).await;
    let keys = list(false).await.context("cannot list sessions")?;
    let hidden = with_expired.map(|all| HiddenCount::among(&all, &keys));
    Ok((keys, hidden))
}

fn table(args: &Args, keys: &[ApiKeyWithOwner]) -> Table {
    let columns = if args.columns.is_empty() {
        let owner = args.all.then_some(Column::Owner);
        // These lists may hold expired tokens, which no other column tells apart off a terminal.
        let status = (args.include_expired || args.conditions.status.is_some()).then_some(Column::Status);
        Column::DEFAULT.into_iter().chain(status).chain(owner).collect()
    } else {
        args.columns.clone()
    };
    let row = |key: &ApiKeyWithOwner| columns.iter().map(|column| column.cell(&key.key, &key.username)).collect();
    Table::new(columns.iter().map(|column| column.name()).collect(), keys.iter().map(row).collect()).dropping_first(&[
        "created at",
        "allow list",
        "last used ip",
        "minted by",
        "last used",
    ])
}
