//! Passwords before hashing.

use std::fmt;

use zeroize::Zeroizing;

const MIN_BYTES: usize = 12;
const MAX_BYTES: usize = 256;

/// A new password: 12 to 256 bytes. It is never printed, and its memory is zeroed on drop.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// The password's length is wrong. The error does not contain the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("password must have {MIN_BYTES} to {MAX_BYTES} bytes, not {0}")]
pub struct InvalidPassword(usize);

impl Password {
    /// Checks the length of a password.
    ///
    /// # Errors
    /// [`InvalidPassword`] with the actual length.
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
