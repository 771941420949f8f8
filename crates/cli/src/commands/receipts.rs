//! `keyward receipts …`: checks the signed documents that prove that keys are dead.

use std::error::Error as _;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use keyward_sdk::receipts::{VerifiedReceipt, verify_receipt};
use keyward_sdk::types::SignedReceipt;

use crate::App;
use crate::args::{KeyArgs, TextFormat};
use crate::error::{Context, Error};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Verify(Verify),
}

/// Verify a receipt without a server
///
/// Checks the signature, the inclusion proof of each audit entry, and that the entries say what the receipt
/// says. Exits with 1 if the receipt proves nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  keyward receipts verify receipt.json --key-file audit-key.txt
  keyward tokens receipt ci | keyward receipts verify - --key-file audit-key.txt")]
pub(crate) struct Verify {
    /// The receipt, or - for stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    keys: KeyArgs,

    /// Output format
    #[arg(short, long, value_enum, default_value = "text")]
    output: TextFormat,
}

pub(crate) fn run(command: Command, app: &App<'_>) -> Result<(), Error> {
    let Command::Verify(args) = command;
    let text = read(&args.file)?;
    let keys = args.keys.read()?;
    if keys.is_empty() {
        return Err(Error::usage("a receipt is verified with a key: pass --key or --key-file")
            .hint("`keyward-server audit-key` prints the key on the server's machine"));
    }
    let verified = verify_receipt(&text, &keys).map_err(|error| {
        let mut told = Error::failed("the receipt proves nothing").why(error.to_string());
        let mut source = error.source();
        while let Some(cause) = source {
            told = told.why(cause.to_string());
            source = cause.source();
        }
        told
    })?;
    match args.output {
        TextFormat::Json => app.out.json(&verified.receipt),
        TextFormat::Text => sentences(&verified, app).iter().try_for_each(|line| app.out.line(line)),
    }
}

/// Prints a receipt as it came from the server: any other form would have another signature.
pub(super) fn print(receipt: &SignedReceipt, app: &App<'_>) -> Result<(), Error> {
    app.out.json(receipt)
}

fn read(path: &Path) -> Result<String, Error> {
    let cannot = || format!("cannot read {}", path.display());
    if path.as_os_str() == "-" {
        let mut text = String::new();
        io::stdin().lock().read_to_string(&mut text).context(cannot())?;
        return Ok(text);
    }
    fs::read_to_string(path).context(cannot())
}

/// What the receipt proves.
fn sentences(VerifiedReceipt { receipt, checkpoint, .. }: &VerifiedReceipt, app: &App<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    let by = receipt.by.as_ref().map_or("the server", |by| by.username.as_str());
    let why = match (&receipt.reason, &receipt.note) {
        (Some(reason), Some(note)) => format!(" Reason: {reason} ({note})."),
        (Some(reason), None) => format!(" Reason: {reason}."),
        (None, Some(note)) => format!(" Note: {note}."),
        (None, None) => String::new(),
    };
    match (receipt.keys.as_slice(), receipt.incident_id) {
        ([key], _) if let Some(at) = key.ended_at => {
            lines.push(format!("Key {} was expired by {by} at {}.{why}", key.id, app.out.time(at)));
        }
        (keys, Some(incident)) => {
            let ended = keys.iter().filter(|key| key.ended_at.is_some()).count();
            let before = keys.len() - ended;
            lines.push(format!("Incident {incident}, by {by}: {ended} keys were expired.{why}"));
            if before > 0 {
                lines.push(format!("{before} more keys had expired before."));
            }
        }
        (_, None) => {}
    }
    match &receipt.confirmation {
        Some(confirmation) => {
            let at = app.out.time(confirmation.at);
            lines.push(format!("From {at} on, no server and no verifier accepted them."));
            for verifier in &confirmation.verifiers {
                lines.push(match verifier.confirmed_at {
                    Some(at) => format!("Verifier {} confirmed it at {}.", verifier.name, app.out.time(at)),
                    None => format!("Verifier {} did not answer; its lease had expired.", verifier.name),
                });
            }
        }
        None => lines.push("The receipt does not say who confirmed it.".to_owned()),
    }
    let entries = receipt.entries.len();
    let noun = if entries == 1 { "audit entry proves" } else { "audit entries prove" };
    lines.push(format!(
        "{entries} {noun} it, under the checkpoint of size {} of {}.",
        checkpoint.size, checkpoint.origin
    ));
    lines
}
