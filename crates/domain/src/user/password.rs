//! Passwords before hashing.

use std::collections::HashSet;
use std::fmt;
use std::sync::LazyLock;

use zeroize::Zeroizing;

const MIN_BYTES: usize = 12;
const MAX_BYTES: usize = 256;

/// The 10 000 most common passwords in published leaks, and further common ones that are long enough.
/// Without letters in upper case, in the order of their bytes.
static COMMON: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("common_passwords.txt").lines().collect());

/// A new password: 12 to 256 bytes, and not a common one. It is never printed, and its memory is zeroed on drop.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// A password that is not allowed. The error does not contain the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPassword {
    /// Its length in bytes is wrong.
    #[error("password must have {MIN_BYTES} to {MAX_BYTES} bytes, not {0}")]
    Length(usize),
    /// It is one of the most common passwords.
    #[error("password is one of the most common passwords, which attackers try first")]
    TooCommon,
}

impl Password {
    /// Checks the length of a password, and that it is not a common one.
    ///
    /// # Errors
    /// [`InvalidPassword`].
    pub fn new(text: Zeroizing<String>) -> Result<Self, InvalidPassword> {
        if text.len() > MAX_BYTES {
            return Err(InvalidPassword::Length(text.len()));
        }
        // First, because a longer form of a common password is no better.
        if is_common(&text) {
            return Err(InvalidPassword::TooCommon);
        }
        if text.len() < MIN_BYTES { Err(InvalidPassword::Length(text.len())) } else { Ok(Self(text)) }
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

/// Whether the password is a common one. The case of letters does not matter.
fn is_common(password: &str) -> bool {
    COMMON.contains(Zeroizing::new(password.to_lowercase()).as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Password, InvalidPassword> {
        Password::new(Zeroizing::new(text.to_owned()))
    }

    #[test]
    fn common_passwords_are_refused() {
        assert_eq!(COMMON.len(), include_str!("common_passwords.txt").lines().count(), "no line is there twice");
        assert!(COMMON.len() > 10_000 && COMMON.iter().all(|line| *line == line.to_lowercase().trim()));
        for text in ["password1234", "1Q2W3E4R5T6Y", "Password"] {
            assert_eq!(of(text).unwrap_err(), InvalidPassword::TooCommon, "{text}");
        }
        for text in ["correct horse battery", "password-of-mine"] {
            assert!(of(text).is_ok(), "{text}");
        }
        assert_eq!(of("password").unwrap_err(), InvalidPassword::TooCommon);
        assert_eq!(of("so short").unwrap_err(), InvalidPassword::Length(8));
        assert_eq!(of(&"x".repeat(257)).unwrap_err(), InvalidPassword::Length(257));
    }
}
