//! E-mail addresses. The check is minimal: it rejects only texts that are certainly invalid.

use std::fmt;
use std::str::FromStr;

/// Maximum length of an address in SMTP (RFC 5321, §4.5.3.1.3), in bytes.
const MAX_BYTES: usize = 254;

/// An address: one `@` with text on each side, and no whitespace. Comparison ignores case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email(String);

/// The text is not an e-mail address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not an e-mail address: want name@domain, at most {MAX_BYTES} bytes")]
pub struct InvalidEmail(String);

impl Email {
    /// The address as entered.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The lower-case form, for comparison and uniqueness.
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
    fn malformed_addresses_are_refused() {
        assert!("a+b@example.com".parse::<Email>().is_ok());
        for bad in ["", "a", "@", "a@", "@b", "a@b@c", "a b@c", "a@b\n"] {
            assert!(bad.parse::<Email>().is_err(), "{bad}");
        }
    }
}
