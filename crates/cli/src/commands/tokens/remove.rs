//! `keyward tokens remove`: ends tokens. Their records stay, unless `--delete` is given.

use std::str::FromStr;

use keyward_sdk::types::ApiKey;
use keyward_sdk::{Client, ExpireOutcome, Timestamp, UserRef};

use super::address::{Address, NoAddress, where_to_look};
use crate::App;
use crate::error::{Error, Failing};
use crate::exit::Exit;
use crate::prompt;

/// Expire tokens: they stop working at once, and their records stay
///
/// With --delete their records go too. Sessions can be given by id as well.
#[derive(Debug, clap::Args)]
#[command(visible_aliases = ["rm", "delete", "expire"], after_help = "Examples:
  keyward tokens remove ci
  keyward tokens remove kwd_a1B2c3D4e5 nightly
  pbpaste | keyward tokens remove -")]
pub(crate) struct Args {
    /// Names, ids, or the tokens themselves, of which only the ids are used; `-` reads one from stdin
    #[arg(value_name = "NAME|ID|TOKEN", required = true)]
    tokens: Vec<Target>,

    /// Whose: a username, a user's id, or me
    #[arg(short, long, default_value = "me")]
    user: UserRef,

    /// Remove the records too
    ///
    /// The audit log keeps what they were. On a terminal the name has to be typed first.
    #[arg(long)]
    delete: bool,

    /// With --delete: do not ask
    #[arg(short, long)]
    yes: bool,
}

/// A key, or `-`, which says that stdin has it.
#[derive(Clone, Debug)]
enum Target {
    Given(Address),
    Stdin,
}

impl FromStr for Target {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "-" { Ok(Self::Stdin) } else { text.parse().map(Self::Given) }
    }
}

/// What became of a key.
enum Outcome {
    Expired(ExpireOutcome),
    AlreadyExpired(Timestamp),
    Deleted,
}

pub(crate) async fn run(args: Args, app: &App<'_>) -> Result<(), Error> {
    let addresses = args.tokens.iter().map(|target| address(target, app)).collect::<Result<Vec<_>, _>>()?;
    let client = app.config.connect()?.client;
    let removal = Removal { client: &client, args: &args, app };
    if let [address] = addresses.as_slice() {
        return app.out.line(&removal.remove(address).await?.to_string());
    }

    let mut failed = 0_usize;
    let mut printed = Ok(());
    for address in &addresses {
        match removal.remove(address).await {
            // If nobody reads on, the rest must be removed all the same.
            Ok(outcome) => printed = printed.and(app.out.line(&format!("{address}: {outcome}"))),
            Err(error) => {
                failed += 1;
                app.out.error(&error, app.verbose);
            }
        }
    }
    let done = addresses.len() - failed;
    let verb = if args.delete { "deleted" } else { "expired" };
    app.out.note(&format!("{done} of {} {verb}, {failed} failed", addresses.len()));
    printed?;
    if failed > 0 { Err(Error::silent(Exit::Failed)) } else { Ok(()) }
}

fn address(target: &Target, app: &App<'_>) -> Result<Address, Error> {
    match target {
        Target::Given(address) => Ok(address.clone()),
        Target::Stdin => {
            let text = prompt::secret_from_stdin(app.out, "Name, id or token: ", "`-` wants a name, an id or a token")?;
            text.expose().parse().map_err(|error: NoAddress| Error::usage(format!("on stdin: {error}")))
        }
    }
}

struct Removal<'a> {
    client: &'a Client,
    args: &'a Args,
    app: &'a App<'a>,
}

impl Removal<'_> {
    async fn remove(&self, address: &Address) -> Result<Outcome, Error> {
        if self.args.delete { self.delete(address).await } else { self.expire(address).await }
    }

    /// Whether the key was dead already is told by its end, which then does not move: the server
    /// is asked before and after, since this machine's clock may differ from the server's.
    async fn expire(&self, address: &Address) -> Result<Outcome, Error> {
        let Args { user, .. } = self.args;
        let what = || address.cannot("expire");
        let (id, before) = match address {
            // An id is enough to expire a key. That it cannot be read must not keep it alive.
            Address::Id(id) => match self.client.api_key_by_id(user, id).await {
                Ok(key) => (id.clone(), Some(key.expires_at)),
                Err(keyward_sdk::Error::Api(_)) => (id.clone(), None),
                Err(error) => return Err(error).failing(what()),
            },
            Address::Name(_) | Address::Nothing(_) => {
                let key = address.find(self.client, user, "expire").await?;
                (key.id, Some(key.expires_at))
            }
        };
        let expired = self.client.expire_api_key(user, &id).await.failing(what()).map_err(where_to_look)?;
        let Some(before) = before else {
            return Ok(Outcome::Expired(expired));
        };
        match self.client.api_key_by_id(user, &id).await {
            Ok(after) if after.expires_at == before => Ok(Outcome::AlreadyExpired(before)),
            Ok(_) => Ok(Outcome::Expired(expired)),
            // The server has said that it is done, so it is, whatever keeps it from being seen: it
            // may be the very token that was used to ask.
            Err(_) => Ok(Outcome::Expired(expired)),
        }
    }

    async fn delete(&self, address: &Address) -> Result<Outcome, Error> {
        let Args { user, yes, .. } = self.args;
        let ask = !yes && prompt::is_interactive();
        let id = match address {
            Address::Id(id) if !ask => id.clone(),
            Address::Id(_) | Address::Name(_) | Address::Nothing(_) => {
                let key = address.find(self.client, user, "delete").await?;
                if ask {
                    self.confirm(&key)?;
                }
                key.id
            }
        };
        self.client.delete_api_key(user, &id).await.failing(address.cannot("delete")).map_err(where_to_look)?;
        Ok(Outcome::Deleted)
    }

    /// A session has no name; its id must do.
    fn confirm(&self, key: &ApiKey) -> Result<(), Error> {
        let name = if key.token_name.is_empty() { &key.id } else { &key.token_name };
        prompt::confirm_removal(self.app.out, &format!("Token {}", key.id), name)
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Expired(ExpireOutcome { confirmed: 0, lapsed: 0, .. }) => f.write_str("Token has been expired."),
            Self::Expired(ExpireOutcome { confirmed, lapsed, waited, .. }) => write!(
                f,
                "Token has been expired. {confirmed} of {} verifiers confirmed in {} ms.",
                confirmed + lapsed,
                waited.as_millis()
            ),
            Self::AlreadyExpired(since) => write!(f, "Token was already expired (since {since})."),
            Self::Deleted => f.write_str("Token has been deleted."),
        }
    }
}
