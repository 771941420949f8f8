//! Usernames, which name a user in paths and on the command line.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

const MAX_CHARS: usize = 32;

/// Words that paths use in the place of a username.
const RESERVED: [&str; 6] = ["me", "new", "create", "first", "login", "logout"];

/// 1 to 32 letters, digits and single inner dashes. Comparison ignores case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Username(String);

/// Why a text is not a valid username.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUsername {
    /// A character or the length is wrong.
    #[error("username \"{0}\" must have 1 to {MAX_CHARS} letters and digits, with single dashes between them")]
    Malformed(String),
    /// The name is reserved.
    #[error("username \"{0}\" is reserved; choose another")]
    Reserved(String),
    /// The name would be parsed as an id.
    #[error("username \"{0}\" must not look like a UUID")]
    LooksLikeId(String),
}

impl Username {
    /// The username as entered.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The lower-case form, for comparison and uniqueness.
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
    fn malformed_usernames_are_refused() {
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
