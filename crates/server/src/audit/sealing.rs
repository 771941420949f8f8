//! The job that seals the audit log, and its files: the signing key, and the checkpoints that are kept
//! outside of the database.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::time::Duration;

use actix_web::web;
use keyward_service::{SealError, Sealed, Sealer, Service};
use keyward_transparency::{Checkpoint, KeyFileError, SigningKey, notes};
use tokio::time::{MissedTickBehavior, interval};
use zeroize::Zeroizing;

use super::canonical;
use crate::app::App;

/// How often the job looks for entries; 2 s are promised.
const INTERVAL: Duration = Duration::from_secs(1);

/// After a file of checkpoints has this many bytes, it becomes the file with `.1` at its end, and a new one
/// begins.
const LARGEST_FILE: u64 = 16 * 1024 * 1024;

/// How many bytes at the end of the file are read to find the newest checkpoint.
const TAIL: u64 = 64 * 1024;

/// Where the signing key and the checkpoints are.
#[derive(Clone, Debug)]
pub struct SealingFiles {
    /// The private key, in PEM. Created if it does not exist and `may_create_key`.
    pub key: PathBuf,
    /// Whether the key is created if it does not exist.
    pub may_create_key: bool,
    /// The signed checkpoints.
    pub checkpoints: PathBuf,
}

/// How a server seals the audit log.
#[derive(Clone, Debug)]
pub enum Sealing {
    /// In the background, within 2 s of each entry.
    Background(SealingFiles),
    /// Only when [`seal_audit_log`] is called.
    OnDemand(SealingFiles),
}

impl Sealing {
    /// The files.
    #[must_use]
    pub fn files(&self) -> &SealingFiles {
        match self {
            Self::Background(files) | Self::OnDemand(files) => files,
        }
    }
}

/// The server cannot seal the audit log.
#[derive(Debug, thiserror::Error)]
pub enum SealingError {
    /// A file cannot be read or written.
    #[error("cannot read or write {path}")]
    File {
        /// The file's path.
        path: PathBuf,
        /// The operating system's error.
        #[source]
        source: io::Error,
    },
    /// The signing key is not one.
    #[error("{path} is not a signing key for the audit log")]
    Key {
        /// The file's path.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: KeyFileError,
    },
    /// The log cannot be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl SealingFiles {
    /// Reads the signing key, or creates it.
    ///
    /// # Errors
    /// If the file cannot be read or created.
    pub fn signing_key(&self) -> Result<Zeroizing<String>, SealingError> {
        let failed = |source| SealingError::File { path: self.key.clone(), source };
        match File::open(&self.key) {
            Ok(file) => {
                let mode = file.metadata().map_err(failed)?.permissions().mode();
                if mode & 0o077 != 0 {
                    tracing::warn!(
                        path = %self.key.display(),
                        mode = %format_args!("{:o}", mode & 0o777),
                        "other users of this machine may read the signing key of the audit log; chmod 600 it"
                    );
                }
                let mut pem = Zeroizing::new(String::new());
                file.take(TAIL).read_to_string(&mut pem).map_err(failed)?;
                Ok(pem)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.may_create_key => {
                let pem =
                    SigningKey::generate().map_err(|source| SealingError::Key { path: self.key.clone(), source })?;
                let mut file =
                    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.key).map_err(failed)?;
                file.write_all(pem.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
                Ok(pem)
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// The newest checkpoint of the file; none if there is none.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn newest_checkpoint(&self) -> Result<Option<Checkpoint>, SealingError> {
        let failed = |source| SealingError::File { path: self.checkpoints.clone(), source };
        let mut file = match File::open(&self.checkpoints) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let length = file.metadata().map_err(failed)?.len();
        let start = length.saturating_sub(TAIL);
        file.seek(SeekFrom::Start(start)).map_err(failed)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let text = String::from_utf8_lossy(&bytes);
        // The first note of the tail may be cut off: it is skipped up to an empty line after its signature.
        let text = if start == 0 { Some(&*text) } else { text.find("\n\n").and_then(|at| whole_notes(&text, at)) };
        // A note that was cut off while it was written, and what then follows it, cannot be read.
        Ok(text.and_then(|text| notes(text).filter_map(|note| Checkpoint::unverified(&note).ok()).last()))
    }

    /// Appends a checkpoint to the file.
    fn keep(&self, checkpoint: &str) -> io::Result<()> {
        let is_full = fs::metadata(&self.checkpoints).is_ok_and(|file| file.len() >= LARGEST_FILE);
        if is_full {
            let mut older = self.checkpoints.clone().into_os_string();
            older.push(".1");
            fs::rename(&self.checkpoints, older)?;
        }
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.checkpoints)?;
        file.write_all(format!("{checkpoint}\n").as_bytes())
    }
}

/// The notes of a text after its first, which begins somewhere in the middle; `at` is its first empty line.
fn whole_notes(text: &str, at: usize) -> Option<&str> {
    let rest = &text[at + 2..];
    // The empty line was that between a text and its signature, or that between two notes.
    if rest.starts_with('—') { rest.find("\n\n").map(|end| &rest[end + 2..]) } else { Some(rest) }
}

/// Seals the log of a database until the job is stopped.
pub(crate) async fn run(app: web::Data<App>, files: SealingFiles) {
    let service = &app.service;
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut sealer, mut told) = (None, None);
    loop {
        ticks.tick().await;
        let done = match &mut sealer {
            Some(sealer) => seal(sealer, &files).await,
            None => match prepare(service, &files).await {
                Ok(prepared) => seal(sealer.insert(prepared), &files).await,
                Err(error) => Err(error),
            },
        };
        app.metrics.set_sealed(done.as_ref().ok().copied());
        // The same trouble is told once.
        let trouble = done.err();
        let text = trouble.as_ref().map(ToString::to_string);
        if let Some(error) = trouble.filter(|_| text != told) {
            tracing::error!(error = &error as &dyn std::error::Error, "the audit log is not sealed");
        } else if told.is_some() && text.is_none() {
            tracing::info!("the audit log is sealed again");
        }
        told = text;
    }
}

/// Seals everything that waits, once.
///
/// # Errors
/// If the files cannot be used, or the database fails or differs from what was kept.
pub async fn seal_audit_log(service: &Service, files: &SealingFiles) -> Result<(), SealingError> {
    seal(&mut prepare(service, files).await?, files).await.map(drop)
}

/// Reads the files, and checks the database against the newest checkpoint that was kept.
async fn prepare(service: &Service, files: &SealingFiles) -> Result<Sealer, SealingError> {
    let pem = files.signing_key()?;
    let sealer = service.sealer(&pem, canonical).await.map_err(|error| match error {
        SealError::Key(source) => SealingError::Key { path: files.key.clone(), source },
        other => other.into(),
    })?;
    if let Some(kept) = files.newest_checkpoint()? {
        sealer.check(&kept).await?;
    }
    Ok(sealer)
}

/// Seals everything that waits. Returns the number of leaves.
async fn seal(sealer: &mut Sealer, files: &SealingFiles) -> Result<u64, SealingError> {
    loop {
        let Sealed { checkpoint, size, has_more } = sealer.seal().await?;
        if let Some(checkpoint) = checkpoint {
            files.keep(&checkpoint).map_err(|source| SealingError::File { path: files.checkpoints.clone(), source })?;
        }
        if !has_more {
            return Ok(size);
        }
    }
}
