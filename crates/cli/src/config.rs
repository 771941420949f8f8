//! Chooses the server and the credential: flags first, then the environment, then the stored files.
//!
//! **Invariant:** the stored session is sent only to the stored URL.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use etcetera::BaseStrategy;
use keyward_sdk::{Client, SecretString};

use crate::args::Global;
use crate::error::{Context, Error};
use crate::exit::Exit;
use crate::output;
use crate::server_url::ServerUrl;
use crate::store::{Store, Stored};

/// The environment variable that holds a session or token.
pub(crate) const SESSION_TOKEN: &str = "KEYWARD_SESSION_TOKEN";
const URL: &str = "KEYWARD_URL";
const CONFIG_DIR: &str = "KEYWARD_CONFIG_DIR";

/// The time that a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The time that a request may take with its retries, unless --timeout sets it.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The message when a command needs a credential and finds none.
const NO_SESSION: &str = "no session token found - run 'keyward login' first";

/// Settings from the flags and the environment. The files are read when they are needed.
pub(crate) struct Config {
    url: Option<ServerUrl>,
    variable: Option<SecretString>,
    dir: Option<PathBuf>,
    timeout: Duration,
}

/// A credential and its source.
pub(crate) struct Credential {
    pub(crate) token: SecretString,
    pub(crate) source: Source,
}

/// The source of a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// `KEYWARD_SESSION_TOKEN`.
    Variable,
    /// The session file.
    File(PathBuf),
}

/// A client for a server, with the URL and the credential that it uses.
pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) url: ServerUrl,
    pub(crate) credential: Credential,
}

impl Config {
    /// Reads the environment variables for the settings that no flag sets.
    pub(crate) fn new(global: &Global) -> Result<Self, Error> {
        let url = match &global.url {
            Some(url) => Some(url.clone()),
            None => match variable(URL)? {
                None => None,
                Some(text) => {
                    let invalid = |error| Error::usage(format!("{URL} is not a valid server URL: {error}"));
                    Some(text.parse::<ServerUrl>().map_err(invalid)?)
                }
            },
        };
        let dir = global.config_dir.clone().or_else(|| variable_os(CONFIG_DIR).map(PathBuf::from));
        let timeout = global.timeout.map_or(TIMEOUT, |timeout| Duration::from_nanos(timeout.as_nanos().unsigned_abs()));
        Ok(Self { url, variable: variable(SESSION_TOKEN)?.map(SecretString::from), dir, timeout })
    }

    /// The server in use.
    pub(crate) fn url(&self) -> Result<ServerUrl, Error> {
        self.known_url()?.ok_or_else(|| {
            Error::new(Exit::NotAllowed, "no server is configured")
                .hint(format!("run `keyward login URL`, pass --url, or set {URL}"))
        })
    }

    /// The server in use, if one is configured.
    pub(crate) fn known_url(&self) -> Result<Option<ServerUrl>, Error> {
        match &self.url {
            Some(url) => Ok(Some(url.clone())),
            None => Ok(self.store()?.load()?.url),
        }
    }

    /// The credential in use.
    pub(crate) fn credential(&self) -> Result<Credential, Error> {
        match &self.variable {
            Some(token) => Ok(Credential { token: token.clone(), source: Source::Variable }),
            None => self.stored_credential(),
        }
    }

    /// The stored credential, if it belongs to the server in use.
    pub(crate) fn stored_credential(&self) -> Result<Credential, Error> {
        let store = self.store()?;
        let token = session_for(self.url.as_ref(), store.load()?)?;
        Ok(Credential { token, source: Source::File(store.session_path()) })
    }

    /// Like [`Self::stored_credential`], but `None` if nothing is stored or it belongs to another server.
    pub(crate) fn stored_credential_if_any(&self) -> Result<Option<Credential>, Error> {
        match self.stored_credential() {
            Ok(credential) => Ok(Some(credential)),
            Err(error) if error.exit() == Exit::NotAllowed => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether `KEYWARD_SESSION_TOKEN` is set.
    pub(crate) fn variable_is_set(&self) -> bool {
        self.variable.is_some()
    }

    /// The directory of the stored files.
    pub(crate) fn store(&self) -> Result<Store, Error> {
        let dir = match &self.dir {
            Some(dir) => dir.clone(),
            None => match etcetera::choose_base_strategy() {
                Ok(strategy) => strategy.config_dir().join("keyward"),
                Err(error) => {
                    return Err(Error::failed("cannot determine the configuration directory")
                        .why(error.to_string())
                        .hint(format!("pass --config-dir or set {CONFIG_DIR}"))
                        .caused_by(error));
                }
            },
        };
        Ok(Store::new(dir))
    }

    /// Connects the server in use with the credential in use. Sends no request yet.
    pub(crate) fn connect(&self) -> Result<Connection, Error> {
        let url = self.url()?;
        let credential = self.credential()?;
        let client = self.client(&url, Some(&credential.token))?;
        Ok(Connection { client, url, credential })
    }

    /// Builds a client for the server, with or without a credential. It says on stderr when it retries.
    pub(crate) fn client(&self, url: &ServerUrl, token: Option<&SecretString>) -> Result<Client, Error> {
        let builder = Client::builder(url.as_str())
            .user_agent(concat!("keyward/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(self.timeout)
            .deadline(self.timeout)
            .on_retry(|error, pause| {
                output::note(&format!("{error}; trying again in {:.1} s", pause.as_secs_f64()));
            });
        let builder = match token {
            Some(token) => builder.token(token.clone()),
            None => builder,
        };
        builder.build().context(format!("cannot set up the HTTP client for {url}"))
    }
}

impl Source {
    /// The next step when the server refuses a credential from this source.
    pub(crate) fn remedy(&self) -> String {
        match self {
            Self::Variable => format!("set {SESSION_TOKEN} to a live token, or unset it and run `keyward login`"),
            Self::File(_) => "run `keyward login`".to_owned(),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable => f.write_str(SESSION_TOKEN),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// The value of an environment variable; `None` if it is unset or empty.
pub(crate) fn variable(name: &str) -> Result<Option<String>, Error> {
    match variable_os(name) {
        None => Ok(None),
        Some(value) => match value.into_string() {
            Ok(text) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
            Err(_) => Err(Error::usage(format!("{name} is not valid UTF-8"))),
        },
    }
}

fn variable_os(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The stored session, if it belongs to the server in use. `in_use` is the server that a flag or
/// variable names; without it, the stored server is in use.
fn session_for(in_use: Option<&ServerUrl>, stored: Stored) -> Result<SecretString, Error> {
    let none = || Error::new(Exit::NotAllowed, NO_SESSION);
    let session = stored.session.ok_or_else(none)?;
    match (in_use, stored.url) {
        (None, Some(_)) => Ok(session),
        (Some(url), Some(belongs_to)) if *url == belongs_to => Ok(session),
        (Some(url), Some(belongs_to)) => Err(none()
            .why(format!("the stored session belongs to {belongs_to} and is not sent to {url}"))
            .hint(format!("run `keyward login {url}`, or set {SESSION_TOKEN}"))),
        (_, None) => Err(none().why("no server URL is stored with the session")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(url: Option<&str>, session: Option<&str>) -> Stored {
        Stored { url: url.map(|url| url.parse().unwrap()), session: session.map(SecretString::from) }
    }

    #[test]
    fn the_stored_session_is_used_only_with_the_stored_url() {
        let one: ServerUrl = "http://one".parse().unwrap();
        for (in_use, there, used) in [
            (None, stored(Some("http://one"), Some("s")), true),
            (Some(&one), stored(Some("http://one/"), Some("s")), true),
            (Some(&one), stored(Some("http://two"), Some("s")), false),
            (Some(&one), stored(Some("https://one"), Some("s")), false),
            (Some(&one), stored(Some("http://one:8080"), Some("s")), false),
            (Some(&one), stored(None, Some("s")), false),
            (None, stored(None, Some("s")), false),
            (Some(&one), stored(Some("http://one"), None), false),
        ] {
            let case = format!("{in_use:?} {there:?}");
            match session_for(in_use, there) {
                Ok(session) => assert!(used && session.expose() == "s", "{case}"),
                Err(error) => {
                    assert!(!used, "{case}");
                    assert_eq!(error.exit(), Exit::NotAllowed);
                    assert_eq!(error.to_string(), NO_SESSION);
                }
            }
        }
    }
}
