//! The code that lets another machine create the first user.

use std::fmt;

use keyward_domain::key::{Digest, PresentedKey};
use keyward_domain::{KeyKind, PlainKey};
use keyward_storage::{Lane, users};
use zeroize::Zeroizing;

use crate::Service;
use crate::error::Error;

/// A secret that a server prints at its start. Whoever has it can become an owner, so it is as long as a
/// key's secret. It is never printed by accident, and its memory is zeroed on drop.
pub struct SetupCode(Zeroizing<String>);

impl SetupCode {
    fn generate() -> Result<Self, Error> {
        let key = PlainKey::generate(KeyKind::Token).map_err(Error::Random)?;
        Ok(Self(Zeroizing::new(key.expose().rsplit('-').next().unwrap_or_default().to_owned())))
    }

    /// The code as text. Only the announcement at the start shows it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SetupCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The digest of a code; none if it is longer than every code.
fn digest(code: &[u8]) -> Option<Digest> {
    let mut text = Zeroizing::new([0; PresentedKey::LENGTH]);
    text.get_mut(..code.len())?.copy_from_slice(code);
    Some(Digest::of(&text))
}

impl Service {
    /// Draws the setup code while there is no user; else returns none. It is the only valid code from now
    /// on, on every server of the database.
    ///
    /// # Errors
    /// [`Error::Random`] if the operating system gives no random bytes; [`Error::Store`] if the database
    /// fails.
    pub async fn draw_setup_code(&self) -> Result<Option<SetupCode>, Error> {
        let code = SetupCode::generate()?;
        let Some(digest) = digest(code.expose().as_bytes()) else { return Ok(None) };
        let drawn = self.change(Lane::Normal, move |tx| {
            users::hold_all(tx)?;
            if users::any(tx)? {
                return Ok::<_, Error>(false);
            }
            users::set_setup_code(tx, &digest)?;
            Ok(true)
        });
        Ok(drawn.await?.then_some(code))
    }

    /// Whether this is the setup code. Compared in constant time.
    ///
    /// # Errors
    /// [`Error::Store`] if the database fails.
    pub async fn is_setup_code(&self, sent: &[u8]) -> Result<bool, Error> {
        let Some(sent) = digest(sent) else { return Ok(false) };
        let valid = self.inner.store.read(Lane::Normal, users::setup_code).await?;
        Ok(valid.is_some_and(|valid| valid.matches(&sent)))
    }
}
