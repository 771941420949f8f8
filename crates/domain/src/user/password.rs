//! Passwords, on their way to being hashed.

use std::fmt;

use zeroize::Zeroizing;

const MIN_BYTES: usize = 12;
const MAX_BYTES: usize = 256;

/// A password that may be set: 12 to 256 bytes. Never printed, wiped when dropped.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// Why a password may not be set. The password is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("password must have {MIN_BYTES} to {MAX_BYTES} bytes, not {0}")]
pub struct InvalidPassword(usize);

impl Password {
    /// Takes a password that keeps the rule.
    ///
    /// # Errors
    /// [`InvalidPassword`] with its length when that is wrong.
    pub fn new(text: Zeroizing<String>) -> Result<Self, InvalidPassword> {
        if (MIN_BYTES..=MAX_BYTES).contains(&text.len()) { Ok(Self(text)) } else { Err(InvalidPassword(text.len())) }
    }

    /// The bytes to hash.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
