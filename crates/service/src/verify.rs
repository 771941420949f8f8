//! Telling others whether a key that somebody presented to them is good.

use std::sync::Arc;

use keyward_domain::access::Act;
use keyward_domain::audit::{Action, Context, RequestInfo};
use keyward_domain::key::{Need, PresentedKey, Verdict};
use keyward_domain::{ApiKey, Timestamp, User};
use keyward_storage::{Conn, Lane, StoreError, keys};
use uuid::Uuid;

use crate::Service;
use crate::cache::{Generation, Kept, Touched};
use crate::caller::Caller;
use crate::error::Error;
use crate::verifiers::{Connected, News};

/// A key and its user, as they are kept in memory.
#[derive(Clone, Debug)]
pub struct Facts(pub(crate) Arc<Kept>);

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
    /// May the caller ask about keys that others presented to them?
    ///
    /// # Errors
    /// When their roles or the calling key's allow list do not let them.
    pub fn may_verify(&self, caller: &Caller) -> Result<(), Error> {
        caller.require_all_of(Act::VerifyKeys.resource())?;
        caller.require(Act::VerifyKeys, &caller.user)
    }

    /// Judges presented keys, each by what it is needed for, in order. Being asked about is a use of
    /// a key that is valid.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn check_keys(&self, asked: Vec<(String, Need)>) -> Result<Vec<Checked>, Error> {
        let texts = asked.iter().map(|(text, _)| text.as_str());
        let found = self.facts(texts, Lane::Normal).await?;
        let now = self.now();
        let judge = |((_, need), kept): ((String, Need), Option<Arc<Kept>>)| match kept {
            None => Checked::Invalid,
            Some(kept) => {
                let keys::OwnedKey { key, owner } = &kept.owned;
                let verdict = key.judge(owner.is_active(), &need, &self.inner.catalogue, now);
                if verdict == Verdict::Valid {
                    self.inner.usage.note(&kept, now, None);
                }
                Checked::Known { verdict, facts: Facts(kept) }
            }
        };
        Ok(asked.into_iter().zip(found).map(judge).collect())
    }

    /// Ends the key whose secret somebody holds: whoever finds a key may stop it. Unknown and dead
    /// ones are passed over in silence.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_by_holder(&self, request: RequestInfo, text: &str) -> Result<(), Error> {
        // Looked up first, so that a guess costs a read and no turn at writing.
        let found = self.facts(std::iter::once(text), Lane::Urgent).await?;
        let Some(kept) = found.into_iter().next().flatten() else { return Ok(()) };
        let context = Context { time: self.now(), request: Some(request), actor: None };
        let id = kept.owned.key.id.clone();
        self.change(Lane::Urgent, Touched::Key(id.clone()), move |conn| {
            let Some(owned) = keys::find_to_change(conn, &id)? else { return Ok(()) };
            if let Some(ended) = owned.key.expired_at(context.time) {
                let mut entry = context.key(Action::Write, 200, Some(&owned.key), Some(&ended));
                entry.description = format!("a holder of key {} revoked it", owned.key.id);
                keys::expire(conn, &ended, &entry)?;
            }
            Ok(())
        })
        .await
    }
}

/// What a verifier is told of a key, and what it must know to remember it.
#[derive(Clone, Debug)]
pub struct LookedUp {
    /// The server's start.
    pub start: Uuid,
    /// The last change before the facts were read.
    pub change: u64,
    /// The instant of the answer.
    pub now: Timestamp,
    /// The facts, if the secret is right.
    pub facts: Option<Facts>,
    /// Its scopes, with what composites stand for in their place.
    pub grants: Vec<String>,
}

impl Service {
    /// Tells a verifier what has changed, as soon as something has.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn poll_verifier(
        &self,
        id: Uuid,
        name: &str,
        start: Option<Uuid>,
        acknowledged: u64,
    ) -> Result<News, Error> {
        let verifiers = &self.inner.verifiers;
        let exclusive = self.inner.store.is_exclusive();
        if exclusive && start != Some(verifiers.start()) {
            // Known to the next server before it is given by this one.
            let millis = verifiers.lease_millis();
            let work = move |conn: &mut Conn<'_>| keyward_storage::verifiers::note_lease(conn, millis);
            self.change(Lane::Normal, Touched::Nothing, work).await?;
        }
        // On the list first, and then the log: see `verifiers::peers`.
        let stay = if exclusive { None } else { self.be_listed().await? };
        // The request has come in: what was changed before it is told in its answer.
        self.catch_up().await?;
        let may_grant = || exclusive || (stay.is_some() && stay == self.inner.peers.stay());
        Ok(verifiers.poll(id, name, start, acknowledged, self.now(), may_grant).await)
    }

    /// Tells a verifier the facts of a key that was presented to it. It is a use of the key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn look_up_for_verifier(&self, text: &str) -> Result<LookedUp, Error> {
        self.catch_up().await?;
        // Before the facts are read: what changes later is not in them.
        let change = self.inner.verifiers.latest();
        let found = self.facts(std::iter::once(text), Lane::Normal).await?.into_iter().next().flatten();
        let now = self.now();
        let grants = found.as_ref().map(|kept| self.inner.catalogue.expand(&kept.owned.key.scopes));
        if let Some(kept) = &found {
            self.inner.usage.note(kept, now, None);
        }
        let start = self.inner.verifiers.start();
        Ok(LookedUp { start, change, now, facts: found.map(Facts), grants: grants.unwrap_or_default() })
    }

    /// The verifiers that are connected, by name.
    #[must_use]
    pub fn connected_verifiers(&self) -> Vec<Connected> {
        self.inner.verifiers.connected()
    }

    /// Answers the verifiers that wait, at the end of the server.
    pub fn release_verifiers(&self) {
        self.inner.verifiers.close();
    }
}

/// The key that was presented, if the secret is right.
fn look_up(conn: &mut Conn<'_>, presented: &PresentedKey) -> Result<Option<keys::OwnedKey>, StoreError> {
    let facts = keys::facts(conn, &presented.id)?;
    Ok(facts.filter(|facts| facts.digest.matches(&presented.digest)).map(|facts| facts.owned))
}

impl Service {
    /// The facts of presented keys whose secrets are right, in order. From the cache where they are
    /// in it; the others in one look-up. What cannot be a key never reaches the database.
    pub(crate) async fn facts<'a>(
        &self,
        texts: impl Iterator<Item = &'a str>,
        lane: Lane,
    ) -> Result<Vec<Option<Arc<Kept>>>, Error> {
        self.heed_changes_from_outside().await;
        let mut found = Vec::new();
        let mut missing = Vec::new();
        for (index, text) in texts.enumerate() {
            let presented = PresentedKey::parse(text).ok();
            let known = presented.as_ref().map(|presented| self.inner.cache.get(&presented.digest));
            found.push(match (presented, known) {
                (Some(_), Some(Ok(kept))) => Some(kept),
                (Some(presented), Some(Err(generation))) => {
                    missing.push((index, presented, generation));
                    None
                }
                (None, _) | (_, None) => None,
            });
        }
        if missing.is_empty() {
            return Ok(found);
        }
        let work = move |conn: &mut Conn<'_>| {
            let read = |(index, presented, generation): (usize, PresentedKey, Generation)| {
                Ok((index, look_up(conn, &presented)?, presented.digest, generation))
            };
            missing.into_iter().map(read).collect::<Result<Vec<_>, StoreError>>()
        };
        for (index, owned, digest, generation) in self.inner.store.read(lane, work).await? {
            let Some(owned) = owned else { continue };
            let kept = Arc::new(Kept::new(owned));
            self.inner.cache.fill(generation, &digest, &kept);
            if let Some(place) = found.get_mut(index) {
                *place = Some(kept);
            }
        }
        Ok(found)
    }
}
