//! Backups of a SQLite database while servers use it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::error::StoreError;
use crate::migrate;
use crate::pool::{self, Database as _, Sqlite};
use crate::url::DatabaseUrl;

/// Copies a SQLite database as of one instant into a new file with mode 0600, and waits until the copy is on
/// disk. Reads and writes go on meanwhile. Blocks.
///
/// # Errors
/// [`StoreError::NotSqlite`] for another database; [`StoreError::File`] if the file exists or cannot be
/// written; or another error if the database cannot be read. Then there is no file.
pub fn backup(url: &DatabaseUrl, to: &Path) -> Result<(), StoreError> {
    let DatabaseUrl::Sqlite(path) = url else { return Err(StoreError::NotSqlite) };
    pool::check_sqlite_version()?;
    let missing = || StoreError::NoDatabase(url.to_string());
    if !path.exists() {
        return Err(missing());
    }
    let mut conn = Sqlite::new(path).open()?;
    migrate::require_sqlite(&mut conn, missing)?;
    let failed = |source| StoreError::File { path: to.display().to_string(), source };
    // SQLite fills a file that is empty. It would create one that everyone may read.
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(failed)?;
    let copied = copy(&mut conn, to).and_then(|()| on_disk(&file, to).map_err(failed));
    if copied.is_err() {
        // The error at hand matters more than a file that is left over.
        let _removed = std::fs::remove_file(to);
    }
    copied
}

fn copy(conn: &mut SqliteConnection, to: &Path) -> Result<(), StoreError> {
    let target = to.to_str().ok_or_else(|| StoreError::File {
        path: to.display().to_string(),
        source: io::Error::new(io::ErrorKind::InvalidInput, "the path is not UTF-8"),
    })?;
    diesel::sql_query("VACUUM INTO ?").bind::<Text, _>(target).execute(conn)?;
    Ok(())
}

/// Waits until the file and its name are on disk.
fn on_disk(file: &File, path: &Path) -> io::Result<()> {
    file.sync_all()?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}
