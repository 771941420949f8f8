//! Usernames: what a user is called in paths and on the command line.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

const MAX_CHARS: usize = 32;

/// Words that stand in a path where a username would.
const RESERVED: [&str; 6] = ["me", "new", "create", "first", "login", "logout"];

/// 1 to 32 letters, digits and single inner dashes; compared without regard to case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Username(String);

/// Why a text cannot be a username.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUsername {
    /// Wrong letters or length.
    #[error("username \"{0}\" must have 1 to {MAX_CHARS} letters and digits, with single dashes between them")]
    Malformed(String),
    /// A word with another meaning.
    #[error("username \"{0}\" is reserved; choose another")]
    Reserved(String),
    /// It would be taken for an id.
    #[error("username \"{0}\" must not look like a UUID")]
    LooksLikeId(String),
}

impl Username {
    /// As its owner writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As it is compared and kept unique: in lower case.
    #[must_use]
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl FromStr for Username {
    type Err = InvalidUsername;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words_are_good =
            text.split('-').all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric()));
        if text.len() > MAX_CHARS || !words_are_good {
            return Err(InvalidUsername::Malformed(text.to_owned()));
        }
        if RESERVED.contains(&text.to_ascii_lowercase().as_str()) {
            return Err(InvalidUsername::Reserved(text.to_owned()));
        }
        if Uuid::try_parse(text).is_ok() {
            return Err(InvalidUsername::LooksLikeId(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames_keep_the_rule() {
        for good in ["a", "Alice", "svc-ci-2", &"z".repeat(32)] {
            assert!(good.parse::<Username>().is_ok(), "{good}");
        }
        for bad in
            ["", "-a", "a-", "a--b", "a_b", "ä", "Me", "LOGIN", &"a".repeat(33), "0123456789abcdef0123456789abcdef"]
        {
            assert!(bad.parse::<Username>().is_err(), "{bad}");
        }
    }
}
