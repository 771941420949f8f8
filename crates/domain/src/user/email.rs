//! E-mail addresses, checked only as far as is sure.

use std::fmt;
use std::str::FromStr;

/// The longest address that SMTP can carry (RFC 5321, §4.5.3.1.3), in bytes.
const MAX_BYTES: usize = 254;

/// An address: one `@` with something on each side, no space; compared without regard to case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email(String);

/// A text that is no e-mail address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not an e-mail address: want name@domain, at most {MAX_BYTES} bytes")]
pub struct InvalidEmail(String);

impl Email {
    /// As it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As it is compared and kept unique: in lower case.
    #[must_use]
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }
}

impl FromStr for Email {
    type Err = InvalidEmail;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shape_is_good = text
            .split_once('@')
            .is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty() && !domain.contains('@'));
        let symbols_are_good = !text.chars().any(|symbol| symbol.is_whitespace() || symbol.is_control());
        if shape_is_good && symbols_are_good && text.len() <= MAX_BYTES {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidEmail(text.to_owned()))
        }
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_as_far_as_is_sure() {
        assert!("a+b@example.com".parse::<Email>().is_ok());
        for bad in ["", "a", "@", "a@", "@b", "a@b@c", "a b@c", "a@b\n"] {
            assert!(bad.parse::<Email>().is_err(), "{bad}");
        }
    }
}
