//! Space on the disk of a SQLite file that is kept for ending keys.
//!
//! A full disk is the wrong moment to be unable to revoke a key. A file beside the database takes up some
//! space, and is removed when the disk is full. What it frees is used only by writes in the urgent lane,
//! because the others are refused until the file exists again.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{FallocateFlags, fallocate, statvfs};

/// The size of the file: several hundred expires, until SQLite reuses the space of its log.
const SIZE: u64 = 4 * 1024 * 1024;

/// With less free space than this, a write of the urgent lane may fail.
const LOW: u64 = 256 * 1024;

/// How often the server tries to create the file again.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// The reserve of a SQLite file.
#[derive(Debug)]
pub(crate) struct Reserve {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// The file exists.
    Kept,
    /// The file is gone since this time, or since the last attempt to create it.
    Released(Instant),
}

impl Reserve {
    /// Creates the reserve of a database, unless it exists.
    pub(crate) fn of(database: &Path) -> Self {
        let mut path = database.as_os_str().to_owned();
        path.push(".reserve");
        let path = PathBuf::from(path);
        let state = match allocate(&path) {
            Ok(()) => State::Kept,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the disk has no space for the reserve file");
                State::Released(Instant::now())
            }
        };
        Self { path, state: Mutex::new(state) }
    }

    /// Whether writes other than ending keys may use the disk. After a release, they may when there is
    /// space for the file again.
    pub(crate) fn is_kept(&self) -> bool {
        let mut state = self.state();
        match *state {
            State::Kept => true,
            State::Released(at) if at.elapsed() < RETRY_INTERVAL => false,
            State::Released(_) => {
                *state = match allocate(&self.path) {
                    Ok(()) => {
                        tracing::info!("the disk has space again");
                        State::Kept
                    }
                    Err(_still_full) => State::Released(Instant::now()),
                };
                matches!(*state, State::Kept)
            }
        }
    }

    /// Removes the file if the disk has little space left. Called before each write of the urgent lane,
    /// and after each write that failed.
    pub(crate) fn release_if_low(&self) {
        let folder = self.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Without an answer the write is tried as it is.
        if let Ok(disk) = statvfs(folder)
            && disk.f_bavail.saturating_mul(disk.f_frsize) < LOW
        {
            self.release();
        }
    }

    fn release(&self) {
        let mut state = self.state();
        if matches!(*state, State::Kept) {
            tracing::error!("the disk is full; only ending keys still works, with the space of the reserve file");
        }
        *state = State::Released(Instant::now());
        if let Err(error) = std::fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::error!(error = &error as &dyn std::error::Error, "the reserve file cannot be removed");
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // No code panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Creates the file with all its blocks. On a disk that is too full, there is no file afterwards.
fn allocate(path: &Path) -> io::Result<()> {
    let file = File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    if file.metadata()?.len() >= SIZE {
        return Ok(());
    }
    let done = match fallocate(&file, FallocateFlags::empty(), 0, SIZE) {
        // The file system cannot allocate without writing.
        Err(rustix::io::Errno::OPNOTSUPP) => io::copy(&mut io::Read::take(io::repeat(0), SIZE), &mut &file).map(drop),
        done => done.map_err(io::Error::from),
    };
    done.inspect_err(|_full| {
        // The write's error is the one to report.
        let _removed = std::fs::remove_file(path);
    })
}
