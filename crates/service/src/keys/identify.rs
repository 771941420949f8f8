//! Finds whose key a text is, for someone who found it in a log.

use keyward_domain::event::Event;
use keyward_domain::key::{KeyId, PresentedKey};
use keyward_storage::keys::OwnedKey;
use keyward_storage::{Conn, Lane, Tx, keys};

use crate::Service;
use crate::caller::Caller;
use crate::error::Error;
use crate::right::{ReadKeys, Right as _};

/// What is known of a text.
#[derive(Clone, Debug)]
pub struct Identified {
    /// The key with the id in the text, if the caller may see it.
    pub found: Option<OwnedKey>,
    /// How it was found.
    pub how: How,
}

/// How the key of a text was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// The secret in the text is the key's.
    Exact,
    /// The text begins with the id of a key, but its secret is another one; or it has the form of a key,
    /// and no key has this id.
    IdOnly,
    /// The text does not have the form of a key, and does not begin with the id of a key.
    Malformed,
}

impl Service {
    /// Finds the key whose text this is, or whose id it begins with. Records no use and stores nothing but
    /// the audit entry, which does not contain the text. The calling key's allow list must cover all keys.
    ///
    /// # Errors
    /// [`Error::ResourceNotAllowed`]; [`Error::Store`] if the database fails.
    pub async fn identify_key(&self, caller: &Caller, text: &str) -> Result<Identified, Error> {
        caller.require_all_of(ReadKeys::ACT.resource())?;
        let presented = PresentedKey::parse(text).ok();
        // A key that was cut off, or changed, still has its id.
        let Some(id) = presented.as_ref().map(|presented| presented.id.clone()).or_else(|| KeyId::leading(text)) else {
            return Ok(Identified { found: None, how: How::Malformed });
        };
        let facts = self.inner.store.read(Lane::Normal, move |conn: &mut Conn<'_>| keys::facts(conn, &id)).await?;
        let facts = facts.filter(|facts| caller.require(ReadKeys::ACT, &facts.owned.owner).is_ok());
        let exact = match (&facts, &presented) {
            (Some(facts), Some(presented)) => facts.digest.matches(&presented.digest),
            (Some(_) | None, None) | (None, Some(_)) => false,
        };
        let (key, origin) = (facts.as_ref().map(|facts| facts.owned.key.clone()), caller.clone());
        let work = move |tx: &mut Tx<'_>| {
            let origin = origin.with_minters(tx)?.origin();
            tx.record(&origin, Event::KeyIdentified { key, exact });
            Ok::<_, Error>(())
        };
        self.change(Lane::Normal, work).await?;
        let how = match (&facts, presented) {
            _ if exact => How::Exact,
            (None, None) => How::Malformed,
            (Some(_) | None, Some(_)) | (Some(_), None) => How::IdOnly,
        };
        Ok(Identified { found: facts.map(|facts| facts.owned), how })
    }
}
