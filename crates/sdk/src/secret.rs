//! Secrets: credentials and passwords.

use std::fmt;

use zeroize::Zeroizing;

/// A secret text. It is zeroized when dropped, `Debug` prints `[redacted]`, and it implements neither
/// `Display` nor `Serialize`.
///
/// ```
/// let secret = keyward_sdk::SecretString::from("open sesame");
/// assert_eq!(format!("{secret:?}"), "[redacted]");
/// assert_eq!(secret.expose(), "open sesame");
/// ```
#[derive(Clone)]
pub struct SecretString(Zeroizing<String>);

impl SecretString {
    /// The secret in plain text. The caller must not let it leak.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for SecretString {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl From<&str> for SecretString {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl fmt::Debug for SecretString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
