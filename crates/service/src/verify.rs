//! The facts of a presented key: from the cache, or from the database.

use std::sync::Arc;

use bytes::Bytes;
use keyward_domain::event::{Cause, Origin, RequestInfo};
use keyward_domain::key::PresentedKey;
use keyward_domain::{ApiKey, Scopes, Timestamp, User};
use keyward_storage::{Conn, Lane, StoreError, keys};
use keyward_verdict::{Mark, Need, Verdict};

use crate::Service;
use crate::error::Error;
use crate::key_cache::{Cached, CachedKey};

/// A key and its user, as they are kept in memory.
#[derive(Clone, Debug)]
pub struct Facts(pub(crate) Arc<CachedKey>);

impl Facts {
    /// The key.
    #[must_use]
    pub fn key(&self) -> &ApiKey {
        &self.0.owned.key
    }

    /// Its user.
    #[must_use]
    pub fn user(&self) -> &User {
        &self.0.owned.owner
    }

    /// The key's scopes, and the parts of the composites among them.
    #[must_use]
    pub fn grants(&self) -> &Scopes {
        &self.0.grants
    }

    /// The judgement on a use at `now`.
    #[must_use]
    pub fn verdict(&self, need: &Need, now: Timestamp) -> Verdict {
        self.0.verdict(need, now)
    }

    /// What whoever shows them makes of them. It is kept as long as they are, so that facts in use
    /// are put into words once.
    ///
    /// # Errors
    /// What `show` says; then nothing is kept.
    pub fn shown<E>(&self, show: impl FnOnce(&Self) -> Result<Bytes, E>) -> Result<Bytes, E> {
        if let Some(shown) = self.0.shown.get() {
            return Ok(shown.clone());
        }
        let shown = show(self)?;
        Ok(self.0.shown.get_or_init(|| shown).clone())
    }
}

/// What can be said of a presented key.
#[derive(Clone, Debug)]
pub enum Checked {
    /// Malformed, unknown, or the secret is wrong: all alike.
    Invalid,
    /// The secret is right, so that its holder may know the rest.
    Known {
        /// The judgement.
        verdict: Verdict,
        /// The key and its user.
        facts: Facts,
    },
}

impl Service {
    /// Ends the key whose secret somebody holds: whoever finds a key may stop it. Unknown and dead
    /// ones are passed over in silence.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_by_holder(&self, request: RequestInfo, text: &str) -> Result<(), Error> {
        // Looked up first, so that a guess costs a read and no turn at writing.
        let Some(kept) = self.facts_of(text, Lane::Urgent).await? else { return Ok(()) };
        let origin = Origin { time: self.now(), request: Some(request), actor: None };
        let id = kept.owned.key.id.clone();
        self.change(Lane::Urgent, move |tx| {
            let Some(owned) = keys::find_for_update(tx, &id)? else { return Ok(()) };
            Ok(keys::expire(tx, owned.key, origin.time, Cause::RevokedByHolder, &origin)?)
        })
        .await
    }
}

/// The key that was presented, if the secret is right.
fn look_up(conn: &mut Conn<'_>, presented: &PresentedKey) -> Result<Option<keys::OwnedKey>, StoreError> {
    let facts = keys::facts(conn, &presented.id)?;
    Ok(facts.filter(|facts| facts.digest.matches(&presented.digest)).map(|facts| facts.owned))
}

impl Service {
    /// The facts of a presented key, if the secret is right. From the cache if they are in it. What
    /// cannot be a key never reaches the database.
    pub(crate) async fn facts_of(&self, text: &str, lane: Lane) -> Result<Option<Arc<CachedKey>>, Error> {
        let Ok(presented) = PresentedKey::parse(text) else { return Ok(None) };
        self.before_use().await;
        match self.inner.cache.get(&presented) {
            Cached::Key(key) => Ok(Some(key)),
            Cached::WrongSecret => Ok(None),
            // Boxed: every request would otherwise carry the room that only a reading one needs.
            Cached::Nothing(mark) => Box::pin(self.read_facts(presented, mark, lane)).await,
        }
    }

    /// The same from the database.
    async fn read_facts(
        &self,
        presented: PresentedKey,
        mark: Option<Mark>,
        lane: Lane,
    ) -> Result<Option<Arc<CachedKey>>, Error> {
        let wanted = presented.clone();
        let found = self.inner.store.fetch_facts(lane, move |conn| look_up(conn, &wanted)).await?;
        Ok(found.map(|owned| self.keep(mark, &presented, owned)))
    }

    /// Keeps facts that were read after `mark`.
    fn keep(&self, mark: Option<Mark>, presented: &PresentedKey, owned: keys::OwnedKey) -> Arc<CachedKey> {
        let key = Arc::new(CachedKey::new(owned, &self.inner.catalogue));
        self.inner.cache.keep(mark, presented, &key);
        key
    }

    /// The same for several, in order; those that are not in the cache in one look-up.
    pub(crate) async fn facts_of_all<'a>(
        &self,
        texts: impl Iterator<Item = &'a str>,
    ) -> Result<Vec<Option<Arc<CachedKey>>>, Error> {
        self.before_use().await;
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for (index, text) in texts.enumerate() {
            let presented = PresentedKey::parse(text).ok();
            found.push(match presented.map(|presented| (self.inner.cache.get(&presented), presented)) {
                Some((Cached::Key(key), _)) => Some(key),
                Some((Cached::Nothing(mark), presented)) => {
                    missing.push((index, presented, mark));
                    None
                }
                Some((Cached::WrongSecret, _)) | None => None,
            });
        }
        if missing.is_empty() {
            return Ok(found);
        }
        let work = move |conn: &mut Conn<'_>| {
            let read = |(index, presented, mark): (usize, PresentedKey, Option<Mark>)| {
                Ok((index, look_up(conn, &presented)?, presented, mark))
            };
            missing.into_iter().map(read).collect::<Result<Vec<_>, StoreError>>()
        };
        for (index, owned, presented, mark) in self.inner.store.read(Lane::Normal, work).await? {
            if let (Some(owned), Some(place)) = (owned, found.get_mut(index)) {
                *place = Some(self.keep(mark, &presented, owned));
            }
        }
        Ok(found)
    }
}
