//! Database URLs: `sqlite://<path>` or `postgres://…`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The location of the database.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// The connection URI of a PostgreSQL server, including the password.
    Postgres(String),
}

/// The text is not a supported database URL. The error does not contain the text, because it may
/// contain a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("want sqlite://<path> or postgres://<user>@<host>/<database>")]
pub struct InvalidDatabaseUrl;

impl FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once("://") {
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(PathBuf::from(path))),
            Some(("postgres" | "postgresql", rest)) if !rest.is_empty() => Ok(Self::Postgres(text.to_owned())),
            _ => Err(InvalidDatabaseUrl),
        }
    }
}

impl fmt::Display for DatabaseUrl {
    /// Writes the URL without its password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(uri) => f.write_str(&without_password(uri)),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Replaces the password in the authority, and a `password=` in the query.
fn without_password(uri: &str) -> String {
    let (scheme, rest) = uri.split_once("://").unwrap_or(("postgres", uri));
    let (address, query) = rest.split_once('?').map_or((rest, None), |(address, query)| (address, Some(query)));
    let address = match address.rsplit_once('@') {
        Some((login, host)) => match login.split_once(':') {
            Some((user, _)) => format!("{user}:[hidden]@{host}"),
            None => format!("{login}@{host}"),
        },
        None => address.to_owned(),
    };
    let hide =
        |pair: &str| if pair.starts_with("password=") { "password=[hidden]".to_owned() } else { pair.to_owned() };
    let query = query.map(|query| query.split('&').map(hide).collect::<Vec<_>>().join("&"));
    match query {
        Some(query) => format!("{scheme}://{address}?{query}"),
        None => format!("{scheme}://{address}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for (uri, shown) in [
            ("postgres://u:secret@h/db", "postgres://u:[hidden]@h/db"),
            ("postgres://u:se@cret@h/db?a=b", "postgres://u:[hidden]@h/db?a=b"),
            ("postgresql:///db?host=/tmp&password=secret", "postgresql:///db?host=/tmp&password=[hidden]"),
            ("sqlite:///var/lib/k.db", "sqlite:///var/lib/k.db"),
        ] {
            assert_eq!(format!("{:?}", uri.parse::<DatabaseUrl>().unwrap()), shown);
        }
        for bad in ["", "mysql://x", "sqlite://", "/var/lib/k.db"] {
            assert!(bad.parse::<DatabaseUrl>().is_err(), "{bad}");
        }
    }
}
