//! `keyward tokens remove`: expires tokens and keeps their records, or deletes both with `--delete`.

use keyward_sdk::types::{ApiKey, ExpireKeyRequest};
use keyward_sdk::{Client, ExpireOutcome, Timestamp, UserRef};

use super::conditions::Reason;
use super::key_ref::{KeyRef, Target, with_list_hint};
use crate::App;
use crate::error::{Context, Error};
use crate::exit::Exit;
use crate::prompt;

/// Expire tokens: they stop working at once, and their records stay
///
/// --delete removes the records too. An ID may also be that of a session.
#[derive(Debug, clap::Args)]
#[command(visible_aliases = ["rm", "delete", "revoke"], after_help = "Examples:
  keyward tokens remove ci
  keyward tokens remove kwd_a1B2c3D4e5 nightly
  keyward tokens remove ci --reason compromised --note 'found in a build log' --cascade
  keyward tokens remove --delete --yes nightly --user svc-deploy
  pbpaste | keyward tokens remove -")]
pub(crate) struct Args {
    /// Token names, IDs, or the tokens themselves, of which only the IDs are used; `-` reads one from stdin
    #[arg(value_name = "NAME|ID|TOKEN", required = true)]
    pub(super) tokens: Vec<Target>,

    /// Owner of the tokens: a username, a user ID, or me
    #[arg(short, long, default_value = "me")]
    pub(super) user: UserRef,

    /// Delete the records too
    ///
    /// The audit log keeps its entries. On a terminal, you must type the name to confirm.
    #[arg(long)]
    pub(super) delete: bool,

    /// Skip the confirmation of --delete
    #[arg(short, long)]
    pub(super) yes: bool,

    /// Reason, which the record and the audit log keep
    #[arg(long, value_enum, conflicts_with = "delete")]
    pub(super) reason: Option<Reason>,

    /// Note on the reason, up to 500 characters
    #[arg(long, value_name = "TEXT", conflicts_with = "delete")]
    pub(super) note: Option<String>,

    /// Expire the live keys too that these have created, and so on
    #[arg(long, conflicts_with = "delete")]
    pub(super) cascade: bool,
}

/// The result for one key.
enum Outcome {
    Expired(ExpireOutcome),
    AlreadyExpired(Timestamp),
    Deleted,
}

pub(crate) async fn run(args: Args, app: &App<'_>) -> Result<(), Error> {
    let keys = args.tokens.iter().map(|target| target.resolve(app)).collect::<Result<Vec<_>, _>>()?;
    let client = app.config.connect()?.client;
    let removal = Removal { client: &client, args: &args, app };
    if let [key] = keys.as_slice() {
        return app.out.line(&removal.remove(key).await?.to_string());
    }

    let mut failed = 0_usize;
    let mut worst = Exit::Done;
    let mut printed = Ok(());
    for key in &keys {
        let outcome = match removal.remove(key).await {
            Ok(outcome) => outcome.to_string(),
            Err(error) => {
                failed += 1;
                worst = worst.max(error.exit());
                app.out.error(&error, app.verbose);
                "failed".to_owned()
            }
        };
        // If stdout is closed, the other keys must still be removed.
        printed = printed.and(app.out.line(&format!("{key}: {outcome}")));
    }
    let done = keys.len() - failed;
    let verb = if args.delete { "deleted" } else { "expired" };
    app.out.note(&format!("{done} of {} {verb}, {failed} failed", keys.len()));
    printed?;
    if failed > 0 { Err(Error::silent(worst)) } else { Ok(()) }
}

struct Removal<'a> {
    client: &'a Client,
    args: &'a Args,
    app: &'a App<'a>,
}

impl Removal<'_> {
    async fn remove(&self, key: &KeyRef) -> Result<Outcome, Error> {
        if self.args.delete { self.delete(key).await } else { self.expire(key).await }
    }

    /// Expires a key. An expiry that the request does not change means that the key had expired
    /// already. This compares two responses, because this machine's clock may differ from the server's.
    async fn expire(&self, key: &KeyRef) -> Result<Outcome, Error> {
        let Args { user, .. } = self.args;
        let what = || key.cannot("expire");
        let (id, before) = match key {
            // An ID is enough to expire a key, so a caller that may not read the key can still expire it.
            KeyRef::Id(id) => match self.client.api_key_by_id(user, id).await {
                Ok(key) => (id.clone(), Some(key.expires_at)),
                Err(keyward_sdk::Error::Api(_)) => (id.clone(), None),
                Err(error) => return Err(error).context(what()),
            },
            KeyRef::Name(_) | KeyRef::NoMatch(_) => {
                let key = key.find(self.client, user, "expire").await?;
                (key.id, Some(key.expires_at))
            }
        };
        let Args { reason, note, cascade, .. } = self.args;
        let why = ExpireKeyRequest::new(reason.map(Reason::wire), note.clone(), *cascade);
        let expired = if why == ExpireKeyRequest::default() {
            self.client.expire_api_key(user, &id).await
        } else {
            self.client.expire_api_key_because(user, &id, &why).await
        };
        let expired = expired.context(what()).map_err(with_list_hint)?;
        let Some(before) = before else {
            return Ok(Outcome::Expired(expired));
        };
        match self.client.api_key_by_id(user, &id).await {
            Ok(after) if after.expires_at == before => Ok(Outcome::AlreadyExpired(before)),
            Ok(_) => Ok(Outcome::Expired(expired)),
            // The server confirmed the expiry, so this error does not matter. The caller's own token
            // may be the one that expired.
            Err(_) => Ok(Outcome::Expired(expired)),
        }
    }

    async fn delete(&self, key: &KeyRef) -> Result<Outcome, Error> {
        let Args { user, yes, .. } = self.args;
        let ask = !yes && prompt::is_interactive();
        let id = match key {
            KeyRef::Id(id) if !ask => id.clone(),
            KeyRef::Id(_) | KeyRef::Name(_) | KeyRef::NoMatch(_) => {
                let key = key.find(self.client, user, "delete").await?;
                if ask {
                    self.confirm(&key)?;
                }
                key.id
            }
        };
        self.client.delete_api_key(user, &id).await.context(key.cannot("delete")).map_err(with_list_hint)?;
        Ok(Outcome::Deleted)
    }

    /// Asks for the name. A session has no name, so its ID is asked for.
    fn confirm(&self, key: &ApiKey) -> Result<(), Error> {
        let name = if key.token_name.is_empty() { &key.id } else { &key.token_name };
        prompt::confirm_deletion(self.app.out, &format!("Token {}", key.id), name)
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
