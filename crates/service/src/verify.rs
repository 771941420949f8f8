//! Fetches the facts of a presented key from the cache or the database.

use std::sync::Arc;

use bytes::Bytes;
use keyward_domain::event::{ActingKey, Cause, Origin, RequestInfo};
use keyward_domain::key::PresentedKey;
use keyward_domain::{ApiKey, Scopes, Timestamp, User};
use keyward_storage::{Conn, Lane, StoreError, keys};
use keyward_verdict::{Mark, Need, Verdict};

use crate::Service;
use crate::error::Error;
use crate::key_cache::{Cached, CachedKey};

/// A key and its owner, shared with the cache.
#[derive(Clone, Debug)]
pub struct Facts(pub(crate) Arc<CachedKey>);

impl Facts {
    /// The key.
    #[must_use]
    pub fn key(&self) -> &ApiKey {
        &self.0.owned.key
    }

    /// The key's owner.
    #[must_use]
    pub fn user(&self) -> &User {
        &self.0.owned.owner
    }

    /// What a lock on the key says to its holder; none if no lock refuses it.
    #[must_use]
    pub fn locked(&self) -> Option<&str> {
        self.0.locked.denied.as_deref()
    }

    /// The key's scopes with the parts of its composites, as far as no lock takes them.
    #[must_use]
    pub fn grants(&self) -> &Scopes {
        &self.0.grants
    }

    /// Judges a use at `now`.
    #[must_use]
    pub fn verdict(&self, need: &Need, now: Timestamp) -> Verdict {
        self.0.verdict(need, now)
    }

    /// Returns the serialised facts that `show` makes. They are cached with the facts, so that `show`
    /// runs only once.
    ///
    /// # Errors
    /// The error of `show`; then nothing is cached.
    pub fn shown<E>(&self, show: impl FnOnce(&Self) -> Result<Bytes, E>) -> Result<Bytes, E> {
        if let Some(shown) = self.0.shown.get() {
            return Ok(shown.clone());
        }
        let shown = show(self)?;
        Ok(self.0.shown.get_or_init(|| shown).clone())
    }
}

/// The result of checking a presented key.
#[derive(Clone, Debug)]
pub enum Checked {
    /// The key is malformed or unknown, or the secret is wrong. These are not distinguished.
    Invalid,
    /// The secret is right, so the caller may learn the rest.
    Known {
        /// The judgement.
        verdict: Verdict,
        /// The key and its owner.
        facts: Facts,
    },
}

impl Service {
    /// Expires the key with the presented secret: anyone who finds a key may revoke it. Unknown and
    /// dead keys are silently ignored. The response for a dead key is as late as for the expire that
    /// ended it; not so for a deleted key, which is not distinguished from an unknown one.
    ///
    /// # Errors
    /// [`Error::Store`] if the database fails.
    pub async fn revoke_by_holder(&self, request: RequestInfo, text: &str) -> Result<(), Error> {
        // Looked up first, so that a guess costs only a read and does not wait for the writer.
        let Some(cached) = self.facts_of(text, Lane::Urgent).await? else { return Ok(()) };
        let (time, key) = (self.now(), cached.owned.key.clone());
        self.change(Lane::Urgent, move |tx| {
            let acting = ActingKey { id: key.id.clone(), minted_by: keys::minters(tx, &key)? };
            let origin = Origin { time, request: Some(request), actor: None, key: Some(acting) };
            // If the key was deleted meanwhile, the response also waits for that change.
            tx.promise_end();
            let Some(owned) = keys::find_for_update(tx, &key.id)? else { return Ok(()) };
            Ok(keys::expire(tx, owned.key, origin.time, &Cause::RevokedByHolder.into(), &origin)?)
        })
        .await
    }
}

/// Finds the presented key, if the secret is right.
fn look_up(conn: &mut Conn<'_>, presented: &PresentedKey) -> Result<Option<keys::KeyFacts>, StoreError> {
    let facts = keys::facts(conn, &presented.id)?;
    Ok(facts.filter(|facts| facts.digest.matches(&presented.digest)))
}

impl Service {
    /// Fetches the facts of a presented key from the cache or the database, if the secret is right. A
    /// malformed key never reaches the database.
    pub(crate) async fn facts_of(&self, text: &str, lane: Lane) -> Result<Option<Arc<CachedKey>>, Error> {
        let Ok(presented) = PresentedKey::parse(text) else { return Ok(None) };
        self.before_use().await;
        let cached = self.inner.cache.get(&presented);
        self.inner.counters.count_look_up(!matches!(cached, Cached::Nothing(_)));
        match cached {
            Cached::Key(key) => Ok(Some(key)),
            Cached::WrongSecret => Ok(None),
            // Boxed, so that requests with a cache hit do not carry the state of this future.
            Cached::Nothing(mark) => Box::pin(self.read_facts(presented, mark, lane)).await,
        }
    }

    /// Fetches the facts from the database.
    async fn read_facts(
        &self,
        presented: PresentedKey,
        mark: Option<Mark>,
        lane: Lane,
    ) -> Result<Option<Arc<CachedKey>>, Error> {
        let wanted = presented.clone();
        let found = self.inner.store.fetch_facts(lane, move |conn| look_up(conn, &wanted)).await?;
        Ok(found.map(|facts| self.keep(mark, &presented, facts)))
    }

    /// Caches facts that were read after `mark`.
    fn keep(&self, mark: Option<Mark>, presented: &PresentedKey, facts: keys::KeyFacts) -> Arc<CachedKey> {
        let key = Arc::new(CachedKey::new(facts.owned, &facts.locks, &self.inner.catalogue));
        self.inner.cache.keep(mark, presented, &key);
        key
    }

    /// Like [`Service::facts_of`], for several keys, in order. All keys that are not cached are read in
    /// one use case.
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
        for (index, facts, presented, mark) in self.inner.store.read(Lane::Normal, work).await? {
            if let (Some(facts), Some(slot)) = (facts, found.get_mut(index)) {
                *slot = Some(self.keep(mark, &presented, facts));
            }
        }
        Ok(found)
    }
}
