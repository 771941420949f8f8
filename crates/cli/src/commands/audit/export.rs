//! `keyward audit export`: the whole audit log with what proves it.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use keyward_sdk::audit_export::AuditExport;
use tempfile::NamedTempFile;

use crate::App;
use crate::error::{Context, Error};

/// Export the audit log with its proofs, as JSON lines
///
/// The first line has the newest signed checkpoint. Then comes each sealed entry in order, with its hash, and
/// then the entries that are not sealed yet. `keyward audit verify FILE` checks it without the server.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  keyward audit export --output audit.jsonl
  keyward audit export | gzip > audit.jsonl.gz")]
pub(crate) struct Export {
    /// File to write, readable only by you; stdout without this flag
    ///
    /// The file appears when the export is complete. An existing file is replaced.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) const FAILED: &str = "cannot export the audit log";

pub(crate) async fn run(args: &Export, app: &App<'_>) -> Result<(), Error> {
    let mut export = app.config.connect()?.client.audit_export().await.context(FAILED)?;
    match &args.output {
        None => {
            while let Some(lines) = export.next_lines().await.context(FAILED)? {
                app.out.json_lines(&lines)?;
            }
        }
        Some(path) => to_file(&mut export, path).await?,
    }
    let size = export.tree().size;
    app.out.note(&match size {
        0 => "No entry is sealed yet.".to_owned(),
        1 => "Exported the log with its checkpoint of 1 entry.".to_owned(),
        size => format!("Exported the log with its checkpoint of {size} entries."),
    });
    Ok(())
}

/// Writes a temporary file next to the file and renames it, so that an export that fails half-way replaces
/// nothing.
async fn to_file(export: &mut AuditExport, path: &Path) -> Result<(), Error> {
    let cannot = || format!("cannot write {}", path.display());
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    // The temporary file has mode 0600.
    let file = NamedTempFile::new_in(parent.unwrap_or(Path::new("."))).context(cannot())?;
    let mut writer = io::BufWriter::new(file);
    while let Some(lines) = export.next_lines().await.context(FAILED)? {
        writer.write_all(lines.as_bytes()).context(cannot())?;
    }
    let file = writer.into_inner().map_err(io::IntoInnerError::into_error).context(cannot())?;
    file.as_file().sync_all().context(cannot())?;
    file.persist(path).map_err(|error| error.error).context(cannot())?;
    Ok(())
}
