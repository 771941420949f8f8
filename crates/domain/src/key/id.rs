//! The id of a key: `kwd_` (token) or `kws_` (session) and ten base62 digits.

use std::fmt;
use std::str::FromStr;

use super::LoginType;

/// The digits of base62, most significant first in every number we write.
pub(super) const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Random digits behind the prefix.
pub(super) const ID_DIGITS: usize = 10;

/// The prefix that says what kind of key a text is. Changing one kills every key of that kind.
pub(super) fn prefix(login_type: LoginType) -> &'static str {
    match login_type {
        LoginType::Token => "kwd_",
        LoginType::Password => "kws_",
    }
}

/// The id of a key, 14 characters, safe to show and to log.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(String);

/// A text that is not the id of any key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a key: want kwd_ or kws_ and {ID_DIGITS} letters and digits")]
pub struct InvalidKeyId;

impl KeyId {
    /// Joins a prefix and digits that are known to be right.
    pub(super) fn from_parts(login_type: LoginType, digits: &str) -> Self {
        Self(format!("{}{digits}", prefix(login_type)))
    }

    /// An id as a row holds it. One that no key of ours has is shown as it is; no text form of a
    /// key leads to it.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyId {
    type Err = InvalidKeyId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = LoginType::ALL
            .into_iter()
            .find_map(|login_type| text.strip_prefix(prefix(login_type)))
            .ok_or(InvalidKeyId)?;
        if digits.len() != ID_DIGITS || !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(InvalidKeyId);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
