//! The lock that keeps a second server off a SQLite file.

use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::error::StoreError;

/// The lock that a server holds on its SQLite file. The operating system releases it when the process
/// ends.
///
/// It is a `flock` on the database file itself, so it works for every path to the file. SQLite uses
/// other locks, so other programs may read and write the file meanwhile.
#[derive(Debug)]
pub(crate) struct FileLock {
    _file: File,
}

impl FileLock {
    /// Takes the lock, or returns the process id of its holder. A missing file is created with mode
    /// 0600: SQLite would apply the umask, and it copies the file's mode to the log and its index.
    pub(crate) fn take(database: &Path) -> Result<Self, StoreError> {
        let file = open_private(database)?;
        let holder = PathBuf::from(format!("{}.pid", database.canonicalize().map_err(failed(database))?.display()));
        match file.try_lock() {
            Ok(()) => {
                let mut note = open_private(&holder)?;
                note.set_len(0).map_err(failed(&holder))?;
                write!(note, "{}", std::process::id()).map_err(failed(&holder))?;
                Ok(Self { _file: file })
            }
            Err(TryLockError::WouldBlock) => {
                // If the database is opened through a hard link, the note has another name and the
                // process id is unknown.
                let pid = std::fs::read_to_string(&holder).unwrap_or_else(|_unreadable| "unknown".to_owned());
                let file = database.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
                Err(StoreError::InUse { file, pid })
            }
            Err(TryLockError::Error(source)) => Err(failed(database)(source)),
        }
    }
}

fn open_private(path: &Path) -> Result<File, StoreError> {
    let options = File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    options.map_err(failed(path))
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> StoreError {
    let path = path.display().to_string();
    |source| StoreError::File { path, source }
}
