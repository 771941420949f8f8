//! `keyward audit proof`: proves that one entry is in the log.

use keyward_sdk::types::Uuid;

use crate::App;
use crate::error::{Context, Error};

/// Print the proof that an entry is in the audit log
///
/// It is an inclusion proof of the form c2sp.org/tlog-proof, with the newest signed checkpoint. Its extra data
/// is the salt of the entry.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  keyward audit proof 019ac3f0-7a1e-7000-8000-000000000001 > entry.tlog-proof")]
pub(crate) struct Proof {
    /// The ID of the entry
    #[arg(value_name = "ENTRY_ID")]
    entry: Uuid,
}

pub(crate) async fn run(args: &Proof, app: &App<'_>) -> Result<(), Error> {
    let client = app.config.connect()?.client;
    let proof = client.audit_proof(args.entry).await.context("cannot get the proof of the entry")?;
    proof.to_string().lines().try_for_each(|line| app.out.line(line))
}
