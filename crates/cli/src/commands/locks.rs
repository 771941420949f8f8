//! `keyward locks …`: rules that refuse or limit keys at once, without ending them.

use std::collections::HashMap;

use clap::{Subcommand, ValueEnum};
use keyward_sdk::types::{AddLockRequest, Lock, LockSelector, Uuid};
use keyward_sdk::{Client, UserRef};

use super::incidents::conditions;
use super::tokens::{Reason, key_id};
use crate::App;
use crate::args::{ListFormat, TextFormat};
use crate::error::{Context, Error};
use crate::exit::Exit;
use crate::output::{Cell, Table};
use crate::when::When;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Add(Box<Add>),
    List(List),
    Remove(Remove),
}

/// Lock keys: they are refused, or limited to some scopes, until the lock is removed
///
/// A key must meet all conditions. The lock also applies to keys that are created later. It spares the key in
/// use, and the sessions of the only active owner. The ID of the lock goes to stdout, and what it does to
/// stderr. A date is midnight UTC.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  keyward locks add --user svc-deploy --message 'A key was leaked; ask security@example.com'
  keyward locks add --id kwd_a1B2c3D4e5 --message 'Under review' --ends-at +2h --reason compromised
  keyward locks add --name-prefix ci --mode limit --allow-scope task:read --message 'Read only'
  keyward locks add --everything --message 'Maintenance until noon' --ends-at +4h")]
pub(crate) struct Add {
    /// Owner of the keys: a username, a user ID, or me
    #[arg(short, long)]
    user: Option<UserRef>,

    /// ID of a key; may be repeated
    #[arg(long, value_name = "ID", value_parser = key_id)]
    id: Vec<String>,

    /// A scope that the key's scopes grant, such as workspace:read
    #[arg(long)]
    scope: Option<String>,

    /// How the token's name begins, in any case
    #[arg(long, value_name = "TEXT")]
    name_prefix: Option<String>,

    /// Select every key that no condition excludes
    #[arg(long)]
    everything: bool,

    /// Refuse the keys (deny), or leave them only the scopes of --allow-scope (limit)
    #[arg(long, value_enum, default_value = "deny")]
    mode: Mode,

    /// A scope that is left with --mode limit; may be repeated or separated by commas
    #[arg(long, alias = "scopes", value_name = "SCOPE", value_delimiter = ',')]
    allow_scope: Vec<String>,

    /// What callers with a locked key are told, up to 500 characters
    #[arg(long, value_name = "TEXT")]
    message: String,

    /// When the lock is removed: a date, a time, or a time from now, such as +2h [default: never]
    #[arg(long, value_name = "WHEN", value_parser = When::future)]
    ends_at: Option<When>,

    /// Reason, which the lock and the audit log keep
    #[arg(long, value_enum)]
    reason: Option<Reason>,

    /// Output format
    #[arg(short, long, value_enum, default_value = "text")]
    output: TextFormat,
}

/// What a lock does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// The keys are refused.
    Deny,
    /// The keys keep some scopes.
    Limit,
}

/// List the locks, oldest first
///
/// Those who may read the audit log see all locks, and others their own.
#[derive(Debug, clap::Args)]
#[command(
    visible_alias = "ls",
    after_help = "Examples:
  keyward locks list
  keyward locks list -o json"
)]
pub(crate) struct List {
    /// Output format
    #[arg(short, long, value_enum, default_value = "table")]
    output: ListFormat,
}

/// Remove a lock: its keys work as before, unless another lock applies to them
///
/// An owner removes any lock, and others their own.
#[derive(Debug, clap::Args)]
#[command(
    visible_alias = "rm",
    after_help = "Examples:
  keyward locks remove 019ac3f0-7a1e-7000-8000-000000000001"
)]
pub(crate) struct Remove {
    /// ID of the lock
    id: Uuid,
}

pub(crate) async fn run(command: Command, app: &App<'_>) -> Result<(), Error> {
    match command {
        Command::Add(args) => add(&args, app).await,
        Command::List(args) => list(&args, app).await,
        Command::Remove(args) => remove(&args, app).await,
    }
}

async fn add(args: &Add, app: &App<'_>) -> Result<(), Error> {
    let request = args.request()?;
    let client = app.config.connect()?.client;
    // The server's refusal does not name the user.
    let cannot = match &args.user {
        Some(user) => format!("cannot lock the keys of user \"{user}\""),
        None => "cannot add the lock".to_owned(),
    };
    let lock = client.add_lock(&request).await.context(cannot)?;
    if args.output == TextFormat::Json {
        return app.out.json(&lock);
    }
    app.out.line(&lock.id.to_string())?;
    app.out.note(&described(&lock, args.user.as_ref()));
    Ok(())
}

impl Add {
    fn request(&self) -> Result<AddLockRequest, Error> {
        let selector = LockSelector {
            user: self.user.as_ref().map(ToString::to_string),
            ids: Some(self.id.clone()).filter(|ids| !ids.is_empty()),
            scope: self.scope.clone(),
            name_prefix: self.name_prefix.clone(),
            everything: self.everything.then_some(true),
        };
        if selector == LockSelector::default() {
            return Err(Error::usage("no key is selected")
                .hint("give conditions: --user, --id, --scope or --name-prefix; --everything selects all keys"));
        }
        let scopes = match (self.mode, self.allow_scope.as_slice()) {
            (Mode::Deny, []) => None,
            (Mode::Limit, scopes @ [_, ..]) => Some(scopes.to_vec()),
            (Mode::Deny, scopes) => {
                return Err(Error::usage(format!("--mode deny leaves no scopes, not \"{}\"", scopes.join(",")))
                    .hint("pass --mode limit, or leave out --allow-scope; --scope selects keys"));
            }
            (Mode::Limit, []) => {
                return Err(Error::usage("--mode limit needs the scopes that are left")
                    .hint("pass --allow-scope, such as --allow-scope workspace:read; --mode deny leaves none"));
            }
        };
        let mode = match self.mode {
            Mode::Deny => "deny",
            Mode::Limit => "limit",
        };
        Ok(AddLockRequest {
            selector,
            mode: mode.to_owned(),
            scopes,
            message: self.message.clone(),
            ends_at: self.ends_at.map(When::instant),
            reason: self.reason.map(Reason::wire),
        })
    }
}

/// What a new lock does, in a sentence. The lock names its user only by ID.
fn described(lock: &Lock, user: Option<&UserRef>) -> String {
    let LockSelector { user: owner, ids, scope, name_prefix, everything: _ } = &lock.selector;
    let owner = owner.as_ref().map(|_id| match user {
        Some(UserRef::Me) | None => format!(" of user {}", lock.by.username),
        Some(user) => format!(" of user {user}"),
    });
    let name = name_prefix.as_ref().map(|prefix| format!(" whose name begins with \"{prefix}\""));
    let scope = scope.as_ref().map(|scope| format!(" that grants {scope}"));
    let ids = ids.as_ref().map(|ids| format!(" with the ID {}", ids.join(" or ")));
    // A key that is created later has another ID.
    let later = if ids.is_some() { "" } else { ", later ones too," };
    let which: String = [owner, name, scope, ids].into_iter().flatten().collect();
    let does = match &lock.scopes {
        None => format!("refuses every key{which}{later}"),
        Some(scopes) => format!("leaves every key{which}{later} only {}", scopes.join(", ")),
    };
    let end = match lock.ends_at {
        Some(end) => format!("until {end}"),
        None => format!("until you run: keyward locks remove {}", lock.id),
    };
    format!("The lock {does} {end}")
}

async fn list(args: &List, app: &App<'_>) -> Result<(), Error> {
    let client = app.config.connect()?.client;
    let locks = client.locks().await.context("cannot list locks")?;
    match args.output {
        ListFormat::Json => app.out.json(&locks)?,
        ListFormat::Table => app.out.table(&table(&locks, &client).await?)?,
        ListFormat::Csv => app.out.csv(&table(&locks, &client).await?)?,
    }
    if locks.is_empty() {
        app.out.note("No locks found.");
    }
    Ok(())
}

async fn table(locks: &[Lock], client: &Client) -> Result<Table, Error> {
    let usernames = usernames(locks, client).await?;
    let mut rows = Vec::new();
    for lock in locks {
        let mut selector = lock.selector.clone();
        if let Some(user) = &mut selector.user
            && let Some(username) = usernames.get(user)
        {
            user.clone_from(username);
        }
        let keys = if selector.everything == Some(true) { vec!["all".to_owned()] } else { conditions(&selector)? };
        rows.push(vec![
            Cell::Id(lock.id.to_string()),
            Cell::Text(lock.mode.clone()),
            Cell::List(keys),
            Cell::List(lock.scopes.clone().unwrap_or_default()),
            Cell::Text(lock.message.clone()),
            Cell::Text(lock.reason.clone().unwrap_or_default()),
            Cell::Text(lock.by.username.clone()),
            Cell::Time(lock.created_at),
            lock.ends_at.map_or_else(|| Cell::Text(String::new()), Cell::Time),
        ]);
    }
    let columns = vec!["id", "mode", "keys", "scopes", "message", "reason", "by", "created at", "ends at"];
    Ok(Table::new(columns, rows).dropping_first(&["reason", "created at", "by", "ends at", "scopes"]))
}

/// The usernames of the users whose keys are locked, by ID, as far as the caller may read them.
async fn usernames(locks: &[Lock], client: &Client) -> Result<HashMap<String, String>, Error> {
    let mut usernames = HashMap::new();
    for id in locks.iter().filter_map(|lock| lock.selector.user.as_ref()) {
        if usernames.contains_key(id) {
            continue;
        }
        let Ok(user) = id.parse().map(UserRef::Id) else { continue };
        let username = match client.user(&user).await {
            Ok(user) => user.username,
            Err(keyward_sdk::Error::Api(_)) => id.clone(),
            Err(error) => return Err(error).context(format!("cannot read user {id}, whose keys are locked")),
        };
        usernames.insert(id.clone(), username);
    }
    Ok(usernames)
}

async fn remove(args: &Remove, app: &App<'_>) -> Result<(), Error> {
    let client = app.config.connect()?.client;
    let removed = client.remove_lock(args.id).await.context(format!("cannot remove lock {}", args.id));
    removed.map_err(|error| match error.exit() {
        Exit::NotFound => error.hint("run `keyward locks list` to see the existing locks"),
        _ => error,
    })?;
    app.out.line("Lock has been removed.")
}
