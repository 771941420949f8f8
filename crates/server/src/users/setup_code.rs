//! The code that lets another machine create the first user.

use std::fmt;

use keyward_domain::{KeyKind, PlainKey};
use zeroize::Zeroizing;

/// A secret that the server prints at its start. Whoever has it can become an owner, so it is as long
/// as a key's secret. Never printed by accident, wiped when dropped.
pub struct SetupCode(Zeroizing<String>);

impl SetupCode {
    /// Draws a new code.
    ///
    /// # Errors
    /// When the operating system gives no random bytes.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let key = PlainKey::generate(KeyKind::Token)?;
        Ok(Self(Zeroizing::new(key.expose().rsplit('-').next().unwrap_or_default().to_owned())))
    }

    /// The code as text. Only the announcement at the start shows it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether this is the code. Compared in constant time.
    pub(crate) fn matches(&self, sent: &[u8]) -> bool {
        constant_time_eq::constant_time_eq(sent, self.0.as_bytes())
    }
}

impl fmt::Debug for SetupCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
