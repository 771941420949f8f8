//! The name of a token, as its owner chose it.

use std::fmt;
use std::str::FromStr;

use icu_normalizer::ComposingNormalizerBorrowed;

/// The most characters a name may have, counted after normalisation.
const MAX_CHARS: usize = 64;

/// Words that stand in a path where a name would, and what a URL swallows.
const RESERVED: [&str; 3] = ["tokenconfig", ".", ".."];

/// A token's name: 1 to 64 characters in NFC, printable, not to be taken for a key's id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenName(String);

/// Why a text cannot name a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTokenName {
    /// Nothing in it, or more than 64 characters.
    #[error("token name must have 1 to {MAX_CHARS} characters, not {0}")]
    Length(usize),
    /// A character that cannot be seen, or that changes how others are seen.
    #[error("token name must not contain the invisible character U+{:04X}", u32::from(*.0))]
    Invisible(char),
    /// Space at an end.
    #[error("token name \"{0}\" must not begin or end with a space")]
    Surrounded(String),
    /// A word with another meaning.
    #[error("token name \"{0}\" is reserved; choose another")]
    Reserved(String),
    /// It would look like an id.
    #[error("token name \"{0}\" must not begin with kwd_ or kws_, as the id of a key does")]
    LooksLikeKey(String),
}

impl TokenName {
    /// A name put together from our own words, which keep every rule.
    pub(super) fn known_good(text: String) -> Self {
        Self(text)
    }

    /// A name as a row holds it: it kept the rule of its day.
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

/// Control, bidirectional (UAX #9) and zero-width characters, and the line separators.
fn is_invisible(symbol: char) -> bool {
    symbol.is_control()
        || matches!(
            symbol,
            '\u{00AD}'
                | '\u{034F}'
                | '\u{061C}'
                | '\u{115F}'..='\u{1160}'
                | '\u{17B4}'..='\u{17B5}'
                | '\u{180B}'..='\u{180F}'
                | '\u{200B}'..='\u{200F}'
                | '\u{2028}'..='\u{202E}'
                | '\u{2060}'..='\u{206F}'
                | '\u{3164}'
                | '\u{FE00}'..='\u{FE0F}'
                | '\u{FEFF}'
                | '\u{FFA0}'
                | '\u{FFF0}'..='\u{FFFB}'
                | '\u{E0000}'..='\u{E0FFF}'
        )
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
