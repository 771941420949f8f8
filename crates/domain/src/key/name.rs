//! The name of a token.

use std::fmt;
use std::str::FromStr;

use icu_normalizer::ComposingNormalizerBorrowed;

use crate::text::is_invisible;

/// Maximum length of a name in characters, counted after normalisation.
const MAX_CHARS: usize = 64;

/// `tokenconfig` is a route in the place of a name; URL parsers remove `.` and `..`.
const RESERVED: [&str; 3] = ["tokenconfig", ".", ".."];

/// A token's name: 1 to 64 printable characters in NFC that do not look like a key's id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenName(String);

/// Why a text is not a valid token name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTokenName {
    /// The name is empty or longer than 64 characters.
    #[error("token name must have 1 to {MAX_CHARS} characters, not {0}")]
    Length(usize),
    /// A character is invisible or changes how others are displayed.
    #[error("token name must not contain the invisible character U+{:04X}", u32::from(*.0))]
    Invisible(char),
    /// The name begins or ends with a space.
    #[error("token name \"{0}\" must not begin or end with a space")]
    Surrounded(String),
    /// The name is reserved.
    #[error("token name \"{0}\" is reserved; choose another")]
    Reserved(String),
    /// The name looks like a key's id.
    #[error("token name \"{0}\" must not begin with kwd_ or kws_, as the id of a key does")]
    LooksLikeKey(String),
}

impl TokenName {
    /// A name built from this crate's word lists, which satisfy every rule.
    pub(super) fn known_good(text: String) -> Self {
        Self(text)
    }

    /// A name as stored in a row. It is not checked: it satisfied the rules when it was written.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TokenName {
    type Err = InvalidTokenName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = ComposingNormalizerBorrowed::new_nfc().normalize(text).into_owned();
        let count = name.chars().count();
        if count == 0 || count > MAX_CHARS {
            return Err(InvalidTokenName::Length(count));
        }
        if let Some(hidden) = name.chars().find(|&symbol| is_invisible(symbol)) {
            return Err(InvalidTokenName::Invisible(hidden));
        }
        if name.trim() != name {
            return Err(InvalidTokenName::Surrounded(name));
        }
        if RESERVED.contains(&name.as_str()) {
            return Err(InvalidTokenName::Reserved(name));
        }
        if name.starts_with("kwd_") || name.starts_with("kws_") {
            return Err(InvalidTokenName::LooksLikeKey(name));
        }
        Ok(Self(name))
    }
}

impl fmt::Display for TokenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_names_are_kept_in_nfc() {
        assert_eq!("cafe\u{301}".parse::<TokenName>().unwrap().as_str(), "café");
        assert_eq!("CI / deploy".parse::<TokenName>().unwrap().as_str(), "CI / deploy");
        assert!("é".repeat(64).parse::<TokenName>().is_ok());
    }

    #[test]
    fn bad_names_are_refused() {
        let long = "a".repeat(65);
        for name in
            ["", &long, " a", "a ", "a\nb", "a\u{202E}b", "a\u{200B}b", "tokenconfig", ".", "..", "kwd_x", "kws_"]
        {
            assert!(name.parse::<TokenName>().is_err(), "{name:?}");
        }
    }
}
