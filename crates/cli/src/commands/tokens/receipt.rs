//! `keyward tokens receipt`: fetches the signed document that proves that a key is dead.

use keyward_sdk::UserRef;

use super::key_ref::Target;
use crate::App;
use crate::commands::receipts;
use crate::error::{Context, Error};

/// Print the receipt of an expired token: proof for a third party
///
/// A receipt is a signed JSON document: when the token was expired, by whom and why, and which verifiers
/// confirmed it. Only a token that someone has expired has one. `keyward receipts verify` checks it without a
/// server.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  keyward tokens receipt ci > receipt.json
  keyward tokens receipt kwd_a1B2c3D4e5 --user svc-deploy > receipt.json")]
pub(crate) struct Args {
    /// Token name, ID, or the token itself, of which only the ID is used; `-` reads it from stdin
    #[arg(value_name = "NAME|ID|TOKEN")]
    token: Target,

    /// Owner of the token: a username, a user ID, or me
    #[arg(short, long, default_value = "me")]
    user: UserRef,
}

pub(crate) async fn run(args: &Args, app: &App<'_>) -> Result<(), Error> {
    let wanted = args.token.resolve(app)?;
    let client = app.config.connect()?.client;
    let key = wanted.find(&client, &args.user, "get the receipt of").await?;
    let receipt = client.key_receipt(&args.user, &key.id).await.context("cannot get the receipt")?;
    receipts::print(&receipt, app)
}
