//! The id of a key: `kwd_` (token) or `kws_` (session) and ten base62 digits.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use strum::VariantArray as _;

use super::KeyKind;

/// The digits of base62, most significant first in every number we write.
pub(super) const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Random digits behind the prefix.
pub(super) const ID_DIGITS: usize = 10;

/// The length of both prefixes.
const PREFIX: usize = 4;

/// The prefix that says what kind of key a text is. Changing one kills every key of that kind.
pub(super) fn prefix(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Token => "kwd_",
        KeyKind::Session => "kws_",
    }
}

/// The id of a key, 14 characters, safe to show and to log.
#[derive(Clone)]
pub struct KeyId(Text);

/// Every id of ours lies in place: reading a presented key allocates nothing, and a map by id needs
/// no look elsewhere to compare two.
#[derive(Clone)]
enum Text {
    /// A prefix and digits: ASCII.
    Ours([u8; KeyId::LENGTH]),
    /// What only a row can hold that somebody wrote by hand; never of the form of ours.
    Other(Box<str>),
}

/// A text that is not the id of any key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a key: want kwd_ or kws_ and {ID_DIGITS} letters and digits")]
pub struct InvalidKeyId;

impl KeyId {
    /// The length of every id of ours.
    pub const LENGTH: usize = PREFIX + ID_DIGITS;

    /// Reads the bytes of an id.
    pub(super) fn from_bytes(bytes: [u8; Self::LENGTH]) -> Result<Self, InvalidKeyId> {
        let (head, digits) = bytes.split_at(PREFIX);
        let known = KeyKind::VARIANTS.iter().copied().any(|kind| prefix(kind).as_bytes() == head);
        if known && all_base62(digits) { Ok(Self(Text::Ours(bytes))) } else { Err(InvalidKeyId) }
    }

    /// An id as a row holds it. One that no key of ours has is shown as it is; no text form of a
    /// key leads to it.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        text.parse().unwrap_or_else(|InvalidKeyId| Self(Text::Other(text.into_boxed_str())))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            // ASCII, so that it is always a text.
            Text::Ours(bytes) => std::str::from_utf8(bytes).unwrap_or_default(),
            Text::Other(text) => text,
        }
    }

    /// The kind that its prefix claims; none for an id that is not of our form.
    #[must_use]
    pub fn kind(&self) -> Option<KeyKind> {
        KeyKind::VARIANTS.iter().copied().find(|&kind| self.as_bytes().starts_with(prefix(kind).as_bytes()))
    }

    fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Text::Ours(bytes) => bytes,
            Text::Other(text) => text.as_bytes(),
        }
    }
}

/// Are these digits of base62, all of them?
pub(super) fn all_base62(digits: &[u8]) -> bool {
    digits.iter().all(u8::is_ascii_alphanumeric)
}

impl FromStr for KeyId {
    type Err = InvalidKeyId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = text.as_bytes().try_into().map_err(|_wrong_length| InvalidKeyId)?;
        Self::from_bytes(bytes)
    }
}

// By the text alone, whichever way it is held.

impl PartialEq for KeyId {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for KeyId {}

impl PartialOrd for KeyId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for KeyId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for KeyId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.as_bytes());
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_says_of_what_type_it_is() {
        let id: KeyId = "kws_a1B2c3D4e5".parse().unwrap();
        assert_eq!((id.as_str(), id.kind()), ("kws_a1B2c3D4e5", Some(KeyKind::Session)));
        assert_eq!(KeyId::from_stored("kws_a1B2c3D4e5".to_owned()), id);
        assert!(id > "kwd_zzzzzzzzzz".parse().unwrap());
    }

    #[test]
    fn what_is_no_id_is_refused_and_shown_as_it_is_where_a_row_holds_it() {
        for text in
            ["", "kwd_", "kwx_a1B2c3D4e5", "kwd_a1B2c3D4e", "kwd_a1B2c3D4e55", "kwd_a1B2c3D4é", "kwd_a1B2c3D4e-"]
        {
            assert_eq!(text.parse::<KeyId>(), Err(InvalidKeyId), "{text}");
            assert_eq!(KeyId::from_stored(text.to_owned()).as_str(), text);
        }
        assert_eq!(KeyId::from_stored("by hand".to_owned()).kind(), None);
    }
}
