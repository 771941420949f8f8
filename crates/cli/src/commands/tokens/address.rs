//! How a key is called on the command line: by its name, its id, or its pasted text.
//!
//! **Invariant:** of a pasted token only the id is kept; its secret is neither sent nor echoed.

use std::fmt;
use std::str::FromStr;

use keyward_sdk::types::ApiKey;
use keyward_sdk::{Client, UserRef};

use crate::error::{Error, Failing};
use crate::exit::Exit;
use crate::key_text;

/// One key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// The key of that id, token or session.
    Id(String),
    /// The live token of that name, or else the one that expired last.
    Name(String),
    /// Something that cannot be the name or id of any key.
    Nothing(Impossible),
}

/// Why nothing can be called so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Impossible {
    /// Begins as a key does, and is none. It may be a secret that was cut or glued: not kept.
    BrokenKey,
    /// Stands in the server's paths for something else.
    Reserved,
}

/// A text that a URL would swallow. No name is like that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("want the name of a token, its id, or the token itself")]
pub(super) struct NoAddress;

impl Address {
    /// Finds the key. `doing` says what for, as in "view".
    pub(super) async fn find(&self, client: &Client, user: &UserRef, doing: &str) -> Result<ApiKey, Error> {
        let what = self.cannot(doing);
        match self {
            Self::Id(id) => client.api_key_by_id(user, id).await.failing(what),
            Self::Name(name) => client.api_key_by_name(user, name).await.failing(what),
            Self::Nothing(why) => Err(Error::new(Exit::NotFound, what).why(why.to_string())),
        }
        .map_err(where_to_look)
    }

    /// What to say when it failed.
    pub(super) fn cannot(&self, doing: &str) -> String {
        match self {
            Self::Id(name) | Self::Name(name) => format!("cannot {doing} token \"{name}\""),
            Self::Nothing(_) => format!("cannot {doing} the token"),
        }
    }
}

/// Says of a key that is not found where keys can be found.
pub(super) fn where_to_look(error: Error) -> Error {
    if error.exit() == Exit::NotFound {
        error.hint("`keyward tokens list --include-expired` shows what there is")
    } else {
        error
    }
}

impl FromStr for Address {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Some(id) = key_text::id_in(text) {
            return Ok(Self::Id(id.to_owned()));
        }
        match text {
            "" | "." | ".." => Err(NoAddress),
            "tokenconfig" => Ok(Self::Nothing(Impossible::Reserved)),
            _ if key_text::looks_like_key(text) => Ok(Self::Nothing(Impossible::BrokenKey)),
            _ => Ok(Self::Name(text.to_owned())),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(name) | Self::Name(name) => f.write_str(name),
            Self::Nothing(Impossible::BrokenKey) => f.write_str("(not a key)"),
            Self::Nothing(Impossible::Reserved) => f.write_str("tokenconfig"),
        }
    }
}

impl fmt::Display for Impossible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BrokenKey => {
                "it begins as a key does and is none: an id is kwd_ or kws_ and 10 letters and digits, \
                 and in a whole token a dash follows"
            }
            Self::Reserved => "no token can have that name",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_ids_and_pasted_tokens_are_told_apart() {
        let id = |text: &str| Address::Id(text.to_owned());
        let name = |text: &str| Address::Name(text.to_owned());
        for (text, address) in [
            ("kwd_a1B2c3D4e5", id("kwd_a1B2c3D4e5")),
            ("kws_a1B2c3D4e5", id("kws_a1B2c3D4e5")),
            ("kwd_a1B2c3D4e5-0123456789abcdefghijklmnopqr\n", id("kwd_a1B2c3D4e5")),
            ("kwd_a1B2c3D4e5-", id("kwd_a1B2c3D4e5")),
            ("ci", name("ci")),
            ("CI / deploy-1", name("CI / deploy-1")),
            ("KWD_a1B2c3D4e5", name("KWD_a1B2c3D4e5")),
            ("kwd_a1B2c3D4e5x", Address::Nothing(Impossible::BrokenKey)),
            ("kwd_a1B2c3D4-secret", Address::Nothing(Impossible::BrokenKey)),
            ("tokenconfig", Address::Nothing(Impossible::Reserved)),
        ] {
            assert_eq!(text.parse(), Ok(address), "{text}");
        }
        for text in ["", " ", ".", ".."] {
            assert_eq!(text.parse::<Address>(), Err(NoAddress));
        }
    }

    #[test]
    fn a_broken_key_is_not_kept() {
        let address: Address = "kwd_a1B2c3D4e5secret".parse().unwrap();
        assert!(!format!("{address:?} {address} {}", address.cannot("view")).contains("secret"));
    }
}
