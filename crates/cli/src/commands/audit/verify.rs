//! `keyward audit verify`: shows whether anyone has changed the audit log.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use keyward_sdk::audit_export::{Report, Verifier};
use keyward_sdk::transparency::notes;

use super::export::FAILED;
use crate::App;
use crate::args::{KeyArgs, TextFormat};
use crate::error::{Context, Error};

/// Verify that nobody changed the audit log
///
/// Checks each entry against its hash and all hashes against the signed checkpoint: those of an export, or
/// those of the server. Names each entry that was changed, removed or inserted, and then exits with 1.
///
/// Someone who controls the server can replace the whole log and sign it anew. To notice that, keep the server's
/// key and its checkpoints elsewhere, and pass them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  keyward audit verify
  keyward audit verify audit.jsonl
  keyward audit verify audit.jsonl --checkpoint audit-checkpoints --checkpoint kept-elsewhere
  zcat audit.jsonl.gz | keyward audit verify -")]
pub(crate) struct Verify {
    /// Export to verify, or - for stdin; the server without it
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// File of signed checkpoints that were kept; repeatable
    ///
    /// The log must have every entry that they vouch for.
    #[arg(long = "checkpoint", value_name = "FILE")]
    checkpoints: Vec<PathBuf>,

    #[command(flatten)]
    keys: KeyArgs,

    /// Output format
    #[arg(short, long, value_enum, default_value = "text")]
    output: TextFormat,
}

/// How many bytes are read at once. Several threads share them.
const PIECE: usize = 8 * 1024 * 1024;

pub(crate) async fn run(args: &Verify, app: &App<'_>) -> Result<(), Error> {
    let mut kept = Vec::new();
    for path in &args.checkpoints {
        kept.extend(kept_checkpoints(path)?);
    }
    let mut verifier = Verifier::new(args.keys.read()?, kept);
    match &args.file {
        Some(path) => read_file(path, &mut verifier)?,
        None => {
            let mut export = app.config.connect()?.client.audit_export().await.context(FAILED)?;
            while let Some(lines) = export.next_lines().await.context(FAILED)? {
                verifier.read(lines.as_bytes());
            }
        }
    }
    let report = verifier.finish();
    match args.output {
        TextFormat::Json => app.out.json(&report)?,
        TextFormat::Text => {
            for line in sentences(&report) {
                app.out.line(&line)?;
            }
        }
    }
    if report.keys_are_of_log {
        let source = if args.file.is_some() { "the export" } else { "the server" };
        app.out.note(&format!(
            "The keys come from {source} itself. `keyward-server audit-key` prints the key to keep and to pass with \
             --key."
        ));
    }
    match report.finding_count() {
        0 => Ok(()),
        1 => Err(Error::failed("the audit log is not as it was sealed: 1 finding")),
        count => Err(Error::failed(format!("the audit log is not as it was sealed: {count} findings"))),
    }
}

/// The signed checkpoints of a file.
fn kept_checkpoints(path: &Path) -> Result<Vec<String>, Error> {
    let text = fs::read_to_string(path).context(format!("cannot read {}", path.display()))?;
    let notes: Vec<String> = notes(&text).collect();
    if notes.is_empty() {
        // Without this, a wrong file would look as if it had been compared.
        return Err(Error::failed(format!("{} has no signed checkpoint", path.display())));
    }
    Ok(notes)
}

/// Reads a file and verifies it, the next piece while the last one is hashed.
fn read_file(path: &Path, verifier: &mut Verifier) -> Result<(), Error> {
    let cannot = || format!("cannot read {}", path.display());
    let mut reader: Box<dyn Read + Send> =
        if path.as_os_str() == "-" { Box::new(io::stdin()) } else { Box::new(File::open(path).context(cannot())?) };
    thread::scope(|scope| {
        let (sender, pieces) = mpsc::sync_channel::<io::Result<Vec<u8>>>(1);
        scope.spawn(move || {
            loop {
                let piece = read_piece(&mut reader);
                let is_last = !matches!(&piece, Ok(bytes) if !bytes.is_empty());
                // Sending fails if the other side has met an error; then nobody wants more.
                if sender.send(piece).is_err() || is_last {
                    return;
                }
            }
        });
        for piece in pieces {
            verifier.read(&piece.context(cannot())?);
        }
        Ok(())
    })
}

fn read_piece(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut piece = Vec::with_capacity(PIECE);
    reader.take(u64::try_from(PIECE).unwrap_or(u64::MAX)).read_to_end(&mut piece)?;
    Ok(piece)
}

/// The report as sentences.
fn sentences(report: &Report) -> Vec<String> {
    let entries = |count: u64| if count == 1 { "1 entry".to_owned() } else { format!("{count} entries") };
    let mut lines = vec![match report.proven_size {
        None => "Nothing is proven by a checkpoint.".to_owned(),
        Some(1) => "Entry 0 is proven by the checkpoint of size 1.".to_owned(),
        Some(size) => format!("Entries 0 to {} are proven by the checkpoint of size {size}.", size - 1),
    }];
    if !report.is_clean()
        && report.proven_size.is_some()
        && let Some(line) = lines.first_mut()
    {
        line.truncate(line.len() - 1);
        line.push_str(", except those named below.");
    }
    if report.kept_matched > 0 {
        lines.push(match report.kept_matched {
            1 => "The log has everything that the kept checkpoint vouches for.".to_owned(),
            count => format!("The log has everything that {count} kept checkpoints vouch for."),
        });
    }
    if report.retired > 0 {
        let (entries, verb) = (entries(report.retired), if report.retired == 1 { "was" } else { "were" });
        lines.push(format!("{entries} of them {verb} removed by retention; their hashes are proven."));
    }
    if report.unsealed > 0 {
        let verb = if report.unsealed == 1 { "is" } else { "are" };
        lines.push(format!("{} {verb} not sealed yet.", entries(report.unsealed)));
    }
    if report.unsealed_is_cut {
        lines.push("More entries may not be sealed: the server lists 1000 at most.".to_owned());
    }
    lines.extend(report.findings.iter().map(ToString::to_string));
    if report.more_findings > 0 {
        lines.push(format!("{} more findings are not listed.", report.more_findings));
    }
    lines
}
