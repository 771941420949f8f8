//! A reference to a key on the command line: its name, its ID, or its pasted text.
//!
//! **Invariant:** only the ID of a pasted token is kept; its secret is never sent or printed.

use std::fmt;
use std::str::FromStr;

use keyward_sdk::types::ApiKey;
use keyward_sdk::{Client, KeyId, UserRef};

use crate::App;
use crate::error::{Context, Error};
use crate::exit::Exit;
use crate::prompt;

/// A reference to one key on the command line, or `-` for one on stdin.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Given(KeyRef),
    Stdin,
}

impl Target {
    /// The reference; reads it from stdin if it is there.
    pub(super) fn resolve(&self, app: &App<'_>) -> Result<KeyRef, Error> {
        match self {
            Self::Given(key) => Ok(key.clone()),
            Self::Stdin => {
                let what = "`-` needs a name, an ID or a token";
                let text = prompt::secret_from_stdin(app.out, "Name, ID or token: ", what)?;
                text.expose().parse().map_err(|error: InvalidKeyRef| Error::usage(format!("on stdin: {error}")))
            }
        }
    }
}

impl FromStr for Target {
    type Err = InvalidKeyRef;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "-" { Ok(Self::Stdin) } else { text.parse().map(Self::Given) }
    }
}

/// A reference to one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KeyRef {
    /// The key with this ID, a token or a session.
    Id(String),
    /// The live token with this name; without one, the token that expired last.
    Name(String),
    /// Text that cannot be the name or ID of any key.
    NoMatch(NoMatch),
}

/// The reason that no key can match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoMatch {
    /// It starts like a key but is malformed. The text is not kept, because it may contain a secret.
    MalformedKey,
    /// It is a word in the server's paths, so no token can have this name.
    ReservedName,
}

/// The text would vanish from a URL path, so it cannot be a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected the name of a token, its ID, or the token itself")]
pub(super) struct InvalidKeyRef;

impl KeyRef {
    /// Fetches the key. `verb` is the action for the error message, such as "view".
    pub(super) async fn find(&self, client: &Client, user: &UserRef, verb: &str) -> Result<ApiKey, Error> {
        let what = self.cannot(verb);
        match self {
            Self::Id(id) => client.api_key_by_id(user, id).await.context(what),
            Self::Name(name) => client.api_key_by_name(user, name).await.context(what),
            Self::NoMatch(why) => Err(Error::new(Exit::NotFound, what).why(why.to_string())),
        }
        .map_err(with_list_hint)
    }

    /// The error message when the action fails.
    pub(super) fn cannot(&self, verb: &str) -> String {
        match self {
            Self::Id(name) | Self::Name(name) => format!("cannot {verb} token \"{name}\""),
            Self::NoMatch(_) => format!("cannot {verb} the token"),
        }
    }
}

/// Adds a hint to an error about a missing key.
pub(super) fn with_list_hint(error: Error) -> Error {
    if error.exit() == Exit::NotFound {
        error.hint("run `keyward tokens list --include-expired` to see the existing tokens")
    } else {
        error
    }
}

impl FromStr for KeyRef {
    type Err = InvalidKeyRef;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Some(id) = KeyId::leading(text) {
            return Ok(Self::Id(id.to_string()));
        }
        match text {
            "" | "." | ".." => Err(InvalidKeyRef),
            "tokenconfig" => Ok(Self::NoMatch(NoMatch::ReservedName)),
            _ if KeyId::starts(text) => Ok(Self::NoMatch(NoMatch::MalformedKey)),
            _ => Ok(Self::Name(text.to_owned())),
        }
    }
}

impl fmt::Display for KeyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(name) | Self::Name(name) => f.write_str(name),
            Self::NoMatch(NoMatch::MalformedKey) => f.write_str("(not a key)"),
            Self::NoMatch(NoMatch::ReservedName) => f.write_str("tokenconfig"),
        }
    }
}

impl fmt::Display for NoMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MalformedKey => {
                "it looks like a key but is malformed: an ID is kwd_ or kws_ plus 10 letters or digits, \
                 and a dash follows it in a whole token"
            }
            Self::ReservedName => "the name \"tokenconfig\" is reserved, so no token can have it",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_ids_and_pasted_tokens_are_told_apart() {
        let id = |text: &str| KeyRef::Id(text.to_owned());
        let name = |text: &str| KeyRef::Name(text.to_owned());
        for (text, key) in [
            ("kwd_a1B2c3D4e5", id("kwd_a1B2c3D4e5")),
            ("kws_a1B2c3D4e5", id("kws_a1B2c3D4e5")),
            ("kwd_a1B2c3D4e5-0123456789abcdefghijklmnopqr\n", id("kwd_a1B2c3D4e5")),
            ("kwd_a1B2c3D4e5-", id("kwd_a1B2c3D4e5")),
            ("ci", name("ci")),
            ("CI / deploy-1", name("CI / deploy-1")),
            ("KWD_a1B2c3D4e5", name("KWD_a1B2c3D4e5")),
            ("kwd_a1B2c3D4e5x", KeyRef::NoMatch(NoMatch::MalformedKey)),
            ("kwd_a1B2c3D4-secret", KeyRef::NoMatch(NoMatch::MalformedKey)),
            ("tokenconfig", KeyRef::NoMatch(NoMatch::ReservedName)),
        ] {
            assert_eq!(text.parse(), Ok(key), "{text}");
        }
        for text in ["", " ", ".", ".."] {
            assert_eq!(text.parse::<KeyRef>(), Err(InvalidKeyRef));
        }
    }

    #[test]
    fn a_malformed_key_is_not_kept() {
        let key: KeyRef = "kwd_a1B2c3D4e5secret".parse().unwrap();
        assert!(!format!("{key:?} {key} {}", key.cannot("view")).contains("secret"));
    }
}
