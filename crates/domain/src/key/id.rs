//! The id of a key: `kwd_` (token) or `kws_` (session) and ten base62 digits.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use sha2::{Digest as _, Sha256};
use strum::VariantArray as _;

use super::KeyKind;

/// The base62 digits. Numbers are written with the most significant digit first.
pub(super) const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Number of random digits after the prefix.
pub(super) const ID_DIGITS: usize = 10;

/// Length of both prefixes, in bytes.
const PREFIX: usize = 4;

/// The prefix of every id of this kind. Changing a prefix invalidates every key of that kind.
pub(super) fn prefix(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Token => "kwd_",
        KeyKind::Session => "kws_",
    }
}

/// The id of a key: 14 characters, safe to show and to log.
#[derive(Clone)]
pub struct KeyId(Text);

/// Valid ids are stored inline: parsing a presented key does not allocate, and comparing two map
/// keys follows no pointer.
#[derive(Clone)]
enum Text {
    /// A prefix and digits, all ASCII.
    Ours([u8; KeyId::LENGTH]),
    /// An id in a row that was written by hand. It never has the form of a valid id.
    Other(Box<str>),
}

/// The text does not have the form of a key id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a key: want kwd_ or kws_ and {ID_DIGITS} letters and digits")]
pub struct InvalidKeyId;

impl KeyId {
    /// Length of a valid id, in bytes.
    pub const LENGTH: usize = PREFIX + ID_DIGITS;

    /// Parses the bytes of an id.
    pub(super) fn from_bytes(bytes: [u8; Self::LENGTH]) -> Result<Self, InvalidKeyId> {
        let (head, digits) = bytes.split_at(PREFIX);
        let known = KeyKind::VARIANTS.iter().copied().any(|kind| prefix(kind).as_bytes() == head);
        if known && all_base62(digits) { Ok(Self(Text::Ours(bytes))) } else { Err(InvalidKeyId) }
    }

    /// An id as stored in a row. An invalid id is kept as it is; no presented key can match it.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        text.parse().unwrap_or_else(|InvalidKeyId| Self(Text::Other(text.into_boxed_str())))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            // The bytes are ASCII, so the conversion never fails.
            Text::Ours(bytes) => std::str::from_utf8(bytes).unwrap_or_default(),
            Text::Other(text) => text,
        }
    }

    /// The id that a text consists of or starts with: the part before the first `-`.
    #[must_use]
    pub fn leading(text: &str) -> Option<Self> {
        text.split_once('-').map_or(text, |(id, _)| id).parse().ok()
    }

    /// Whether a text starts as a key does, although it may be malformed.
    #[must_use]
    pub fn starts(text: &str) -> bool {
        KeyKind::VARIANTS.iter().any(|&kind| text.starts_with(prefix(kind)))
    }

    /// The kind that the prefix names; none for an invalid id.
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

/// Whether all bytes are base62 digits.
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

// Compares and hashes by text alone: both variants with the same text are equal.

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

/// The SHA-256 digest of the ids of keys in order, each followed by a line feed, in hexadecimal.
#[must_use]
pub fn ids_digest<'a>(ids: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for id in ids {
        hash.update(id);
        hash.update("\n");
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_key_ends_at_the_first_dash() {
        for (text, id) in [
            ("kwd_a1B2c3D4e5", Some("kwd_a1B2c3D4e5")),
            ("kws_a1B2c3D4e5-secret-x", Some("kws_a1B2c3D4e5")),
            ("kwd_a1B2c3D4e5secret", None),
            ("kwd_a1B2c3D4-x", None),
            ("kwd_", None),
            ("ci-deploy", None),
        ] {
            assert_eq!(KeyId::leading(text).as_ref().map(KeyId::as_str), id, "{text}");
        }
        assert!(KeyId::starts("kwd_") && KeyId::starts("kws_x") && !KeyId::starts("ci"));
    }

    #[test]
    fn an_id_parses_and_names_its_kind() {
        let id: KeyId = "kws_a1B2c3D4e5".parse().unwrap();
        assert_eq!((id.as_str(), id.kind()), ("kws_a1B2c3D4e5", Some(KeyKind::Session)));
        assert_eq!(KeyId::from_stored("kws_a1B2c3D4e5".to_owned()), id);
        assert!(id > "kwd_zzzzzzzzzz".parse().unwrap());
    }

    #[test]
    fn an_invalid_id_is_refused_but_kept_when_read_from_a_row() {
        for text in
            ["", "kwd_", "kwx_a1B2c3D4e5", "kwd_a1B2c3D4e", "kwd_a1B2c3D4e55", "kwd_a1B2c3D4é", "kwd_a1B2c3D4e-"]
        {
            assert_eq!(text.parse::<KeyId>(), Err(InvalidKeyId), "{text}");
            assert_eq!(KeyId::from_stored(text.to_owned()).as_str(), text);
        }
        assert_eq!(KeyId::from_stored("by hand".to_owned()).kind(), None);
    }
}
