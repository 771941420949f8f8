//! Stores the server URL and its session between runs, in one file each.
//!
//! **Invariant:** the session belongs to the stored URL. A lock covers both writes. The old session
//! is removed first and the new one is written last, so that a reader never sees a session with
//! another server's URL, not even after a crash.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use keyward_sdk::SecretString;

use crate::error::{Context, Error};
use crate::server_url::ServerUrl;

/// The configuration directory.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    dir: PathBuf,
}

/// The content of the directory, read under the lock.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    /// The server URL.
    pub(crate) url: Option<ServerUrl>,
    /// The session or token for that server.
    pub(crate) session: Option<SecretString>,
}

impl Store {
    /// A store in the directory `dir`, which need not exist yet.
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The file that holds the session.
    pub(crate) fn session_path(&self) -> PathBuf {
        self.dir.join("session")
    }

    fn url_path(&self) -> PathBuf {
        self.dir.join("url")
    }

    /// Reads both files. A missing file is `None`.
    pub(crate) fn load(&self) -> Result<Stored, Error> {
        if !self.exists()? {
            return Ok(Stored::default());
        }
        let _lock = self.lock(File::lock_shared)?;
        let url = match read(&self.url_path())? {
            None => None,
            Some(text) => Some(text.parse().map_err(|error| {
                Error::failed(format!("{} does not contain a valid server URL", self.url_path().display()))
                    .why(format!("\"{text}\": {error}"))
                    .hint("store one with `keyward login URL`")
            })?),
        };
        let session = read(&self.session_path())?.map(SecretString::from);
        Ok(Stored { url, session })
    }

    /// Creates the directory, private to its owner, and checks that it is writable.
    pub(crate) fn prepare(&self) -> Result<(), Error> {
        let what = || format!("cannot prepare the directory {}", self.dir.display());
        let made = make_private(&self.dir).and_then(|()| tempfile::tempfile_in(&self.dir).map(drop));
        made.context(what()).map_err(|error| error.hint("choose another directory with --config-dir"))
    }

    /// Stores a session and the URL it belongs to. Replaces the stored ones.
    pub(crate) fn save(&self, url: &ServerUrl, session: &SecretString) -> Result<(), Error> {
        self.prepare()?;
        let _lock = self.lock(File::lock)?;
        remove(&self.session_path())?;
        self.write(&self.url_path(), url.as_str())?;
        self.write(&self.session_path(), session.expose())
    }

    /// Removes the session and keeps the URL. Returns whether there was a session.
    pub(crate) fn forget_session(&self) -> Result<bool, Error> {
        if !self.exists()? {
            return Ok(false);
        }
        let _lock = self.lock(File::lock)?;
        remove(&self.session_path())
    }

    fn exists(&self) -> Result<bool, Error> {
        self.dir.try_exists().context(format!("cannot access {}", self.dir.display()))
    }

    /// Locks the directory until the file is dropped. Some systems cannot open a directory, and
    /// some file systems have no locks; there only the write order protects the files.
    fn lock(&self, how: fn(&File) -> io::Result<()>) -> Result<Option<File>, Error> {
        if !cfg!(unix) {
            return Ok(None);
        }
        let locked = File::open(&self.dir).and_then(|dir| how(&dir).map(|()| dir));
        match locked {
            Ok(dir) => Ok(Some(dir)),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(None),
            Err(error) => Err(error).context(format!("cannot lock {}", self.dir.display())),
        }
    }

    /// Writes a file atomically. Only its owner can read it, from the first byte on.
    fn write(&self, path: &Path, text: &str) -> Result<(), Error> {
        let written = (|| {
            // The temporary file has mode 0600.
            let mut file = tempfile::NamedTempFile::new_in(&self.dir)?;
            writeln!(file, "{text}")?;
            file.as_file().sync_all()?;
            file.persist(path).map_err(|error| error.error)?;
            Ok(())
        })();
        Result::<(), io::Error>::context(written, format!("cannot write {}", path.display()))
    }
}

/// The trimmed text of the file; `None` if the file is missing or empty.
fn read(path: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context(format!("cannot read {}", path.display())),
    }
}

fn remove(path: &Path) -> Result<bool, Error> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).context(format!("cannot remove {}", path.display())),
    }
}

#[cfg(unix)]
fn make_private(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};

    const OTHERS: u32 = 0o077;
    const STICKY: u32 = 0o1000;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let mode = fs::metadata(dir)?.permissions().mode();
    // A sticky directory, such as /tmp, is shared on purpose; the mode of the files protects them.
    if mode & OTHERS != 0 && mode & STICKY == 0 {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn make_private(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> ServerUrl {
        text.parse().unwrap()
    }

    #[test]
    fn a_saved_session_is_loaded_and_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().join("a/b"));
        assert!(store.load().unwrap().session.is_none());
        assert!(!store.forget_session().unwrap());

        store.save(&url("http://one"), &SecretString::from("secret")).unwrap();
        let stored = store.load().unwrap();
        assert_eq!(stored.url, Some(url("http://one")));
        assert_eq!(stored.session.unwrap().expose(), "secret");

        assert!(store.forget_session().unwrap());
        let stored = store.load().unwrap();
        assert_eq!(stored.url, Some(url("http://one")));
        assert!(stored.session.is_none());
    }

    #[test]
    fn the_session_file_holds_the_token_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().to_owned());
        store.save(&url("http://one"), &SecretString::from("secret")).unwrap();
        assert_eq!(fs::read_to_string(store.session_path()).unwrap(), "secret\n");
        let mut names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["session", "url"]);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_the_files() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("keyward");
        fs::create_dir(&inner).unwrap();
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o755)).unwrap();
        let store = Store::new(inner.clone());
        store.save(&url("http://one"), &SecretString::from("secret")).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(&inner), 0o700);
        assert_eq!(mode(&inner.join("url")), 0o600);
        assert_eq!(mode(&inner.join("session")), 0o600);
    }
}
