//! What is kept between runs: the url of the server and the session there, a file each.
//!
//! **Invariant:** the session belongs to the stored url. The two are written together under a
//! lock, the old session goes first and the new one comes last, so that no moment, and no crash,
//! pairs a session with another server's url.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use keyward_sdk::SecretString;

use crate::error::{Error, Failing};
use crate::server_url::ServerUrl;

/// The configuration directory.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    dir: PathBuf,
}

/// What the directory held at one moment.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    /// The server.
    pub(crate) url: Option<ServerUrl>,
    /// The session, or token, for that server.
    pub(crate) session: Option<SecretString>,
}

impl Store {
    /// The directory `dir`, which need not exist yet.
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

    /// Reads both files; what is not there is none.
    pub(crate) fn load(&self) -> Result<Stored, Error> {
        if !self.exists()? {
            return Ok(Stored::default());
        }
        let _lock = self.lock(File::lock_shared)?;
        let url = match read(&self.url_path())? {
            None => None,
            Some(text) => Some(text.parse().map_err(|error| {
                Error::failed(format!("{} holds no url of a server", self.url_path().display()))
                    .why(format!("\"{text}\": {error}"))
                    .hint("store one with `keyward login URL`")
            })?),
        };
        let session = read(&self.session_path())?.map(SecretString::from);
        Ok(Stored { url, session })
    }

    /// Makes the directory, for its owner only, and finds out early whether it can be written.
    pub(crate) fn prepare(&self) -> Result<(), Error> {
        let what = || format!("cannot prepare the directory {}", self.dir.display());
        let made = make_private(&self.dir).and_then(|()| tempfile::tempfile_in(&self.dir).map(drop));
        made.failing(what()).map_err(|error| error.hint("choose another directory with --config-dir"))
    }

    /// Stores a session and the url it belongs to, in the place of what was there.
    pub(crate) fn save(&self, url: &ServerUrl, session: &SecretString) -> Result<(), Error> {
        self.prepare()?;
        let _lock = self.lock(File::lock)?;
        remove(&self.session_path())?;
        self.write(&self.url_path(), url.as_str())?;
        self.write(&self.session_path(), session.expose())
    }

    /// Forgets the session; the url stays. False if there was none.
    pub(crate) fn forget_session(&self) -> Result<bool, Error> {
        if !self.exists()? {
            return Ok(false);
        }
        let _lock = self.lock(File::lock)?;
        remove(&self.session_path())
    }

    fn exists(&self) -> Result<bool, Error> {
        self.dir.try_exists().failing(format!("cannot look into {}", self.dir.display()))
    }

    /// Locks the directory until the file is dropped. Some systems cannot open a directory, and
    /// some file systems know no locks: there the order of writing must do.
    fn lock(&self, how: fn(&File) -> io::Result<()>) -> Result<Option<File>, Error> {
        if !cfg!(unix) {
            return Ok(None);
        }
        let locked = File::open(&self.dir).and_then(|dir| how(&dir).map(|()| dir));
        match locked {
            Ok(dir) => Ok(Some(dir)),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(None),
            Err(error) => Err(error).failing(format!("cannot lock {}", self.dir.display())),
        }
    }

    /// Writes a file whole or not at all, readable by its owner only from the first byte on.
    fn write(&self, path: &Path, text: &str) -> Result<(), Error> {
        let written = (|| {
            // A temporary file is made with mode 0600.
            let mut file = tempfile::NamedTempFile::new_in(&self.dir)?;
            writeln!(file, "{text}")?;
            file.as_file().sync_all()?;
            file.persist(path).map_err(|error| error.error)?;
            Ok(())
        })();
        Result::<(), io::Error>::failing(written, format!("cannot write {}", path.display()))
    }
}

/// The file's text without the space around it; none if there is no file, or nothing in it.
fn read(path: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).failing(format!("cannot read {}", path.display())),
    }
}

fn remove(path: &Path) -> Result<bool, Error> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).failing(format!("cannot remove {}", path.display())),
    }
}

#[cfg(unix)]
fn make_private(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};

    const OTHERS: u32 = 0o077;
    const STICKY: u32 = 0o1000;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let mode = fs::metadata(dir)?.permissions().mode();
    // A sticky directory, such as /tmp, is everyone's on purpose: the files' own mode must do.
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
    fn what_is_saved_is_loaded_and_forgotten() {
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
    fn files_are_for_their_owner_only() {
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
