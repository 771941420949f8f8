//! `keyward tokens expire`: expires the tokens of these names, or all keys that meet conditions.

use clap::ValueEnum;
use keyward_sdk::types::{ExpireKeysRequest, Uuid};
use keyward_sdk::{KeySelector, UserRef};

use super::conditions::{Conditions, Reason, key_id};
use super::key_ref::Target;
use super::{incident, remove};
use crate::App;
use crate::args::TextFormat;
use crate::error::Error;

/// Expire tokens by name, or all keys that meet conditions
///
/// With names, this is `keyward tokens remove`. With conditions, it selects tokens and sessions, shows how
/// many, asks for their number, and expires them all under one incident ID. The key in use is spared without
/// --include-self. The records stay. A date is midnight UTC. --timeout limits how long the server may be out
/// of reach, not how long it expires keys.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  keyward tokens expire ci nightly
  keyward tokens expire --user svc-deploy --used-after 2h --dry-run
  keyward tokens expire --user svc-deploy --reason compromised --note 'laptop stolen' --cascade
  keyward tokens expire --scope workspace:read --kind token --never-used --reason retired --yes
  keyward tokens expire --incident 019ac3f0-7a1e-7000-8000-000000000001")]
pub(crate) struct Args {
    /// Token names, IDs, or the tokens themselves, of which only the IDs are used; `-` reads one from stdin
    #[arg(value_name = "NAME|ID|TOKEN")]
    tokens: Vec<Target>,

    /// Owner of the tokens: a username, a user ID, or me. With names, the default is me
    #[arg(short, long)]
    user: Option<UserRef>,

    /// ID of a key to select; may be repeated
    #[arg(long, value_name = "ID", value_parser = key_id)]
    id: Vec<String>,

    /// Only tokens, or only sessions
    #[arg(long, value_enum)]
    kind: Option<Kind>,

    /// Select every key that no condition excludes
    #[arg(long)]
    everything: bool,

    /// Expire nothing, and show what would be expired
    #[arg(long)]
    dry_run: bool,

    /// Skip the confirmation; required without a terminal
    #[arg(short, long)]
    yes: bool,

    /// Reason, which the records and the audit log keep
    #[arg(long, value_enum)]
    reason: Option<Reason>,

    /// Note on the reason, up to 500 characters
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,

    /// Expire the live keys too that these keys have created, and so on
    #[arg(long)]
    cascade: bool,

    /// Expire the key in use too, if it is selected
    #[arg(long)]
    include_self: bool,

    /// Go on with the incident of this ID, which was stopped
    #[arg(long, value_name = "ID")]
    incident: Option<Uuid>,

    /// Output format
    #[arg(short, long, value_enum, default_value = "text")]
    output: TextFormat,

    /// Delete the records too; only with names, as in `keyward tokens remove`
    #[arg(long, hide = true, requires = "tokens")]
    delete: bool,

    #[command(flatten)]
    conditions: Conditions,
}

/// The kind of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Created by request and named.
    Token,
    /// Created by logging in.
    Session,
}

pub(crate) async fn run(args: Args, app: &App<'_>) -> Result<(), Error> {
    let selector = args.selector();
    let selects = selector != KeySelector::default();
    // With names, --user is the owner of the tokens and no condition.
    let selects_beside_names = args.has_condition_beside_user() || args.dry_run || args.include_self;
    if !args.tokens.is_empty() {
        if selects_beside_names || args.incident.is_some() {
            return Err(Error::usage("names and conditions cannot be used together")
                .hint("select keys by their IDs with --id, or leave out the conditions"));
        }
        if args.output == TextFormat::Json {
            return Err(Error::usage("-o json needs conditions, not names").hint("select keys by their IDs with --id"));
        }
        return remove::run(args.into_removal(), app).await;
    }
    if let Some(id) = args.incident {
        let has_reason = args.reason.is_some() || args.note.is_some();
        if selects || args.dry_run || has_reason || args.cascade || args.include_self {
            return Err(Error::usage(format!("--incident {id} goes on with the keys and the reason of that incident"))
                .hint("leave out all other flags"));
        }
        return incident::resume(id, args.output, app).await;
    }
    if !selects {
        return Err(Error::usage("no token is selected")
            .hint("name tokens, or give conditions such as --user or --used-after; --everything selects all keys"));
    }
    let mut request = ExpireKeysRequest::dry_run(selector, args.cascade);
    request.include_self = args.include_self;
    if args.dry_run {
        return incident::preview(&request, args.output, app).await;
    }
    let Some(reason) = args.reason else {
        return Err(Error::usage("a reason is needed")
            .hint("pass --reason compromised, superseded, retired, policy or unspecified; --dry-run needs none"));
    };
    let why = incident::Why { reason: reason.wire(), note: args.note };
    incident::expire(request, why, args.yes, args.output, app).await
}

impl Args {
    fn has_condition_beside_user(&self) -> bool {
        !self.conditions.is_empty() || !self.id.is_empty() || self.kind.is_some() || self.everything
    }

    fn selector(&self) -> KeySelector {
        let mut selector = self.conditions.selector();
        selector.user = self.user.as_ref().map(ToString::to_string);
        selector.ids = Some(self.id.clone()).filter(|ids| !ids.is_empty());
        selector.everything = self.everything.then_some(true);
        selector.kind = self.kind.map(|kind| {
            match kind {
                Kind::Token => "token",
                Kind::Session => "session",
            }
            .to_owned()
        });
        selector
    }

    fn into_removal(self) -> remove::Args {
        remove::Args {
            tokens: self.tokens,
            user: self.user.unwrap_or(UserRef::Me),
            delete: self.delete,
            yes: self.yes,
            reason: self.reason,
            note: self.note,
            cascade: self.cascade,
        }
    }
}
