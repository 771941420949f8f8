//! Telling others whether a key that somebody presented to them is good.

use std::sync::Arc;

use keyward_domain::Timestamp;
use keyward_domain::access::Act;
use keyward_storage::Lane;
use keyward_verdict::{Need, Verdict};
use uuid::Uuid;

use crate::Service;
use crate::caller::Caller;
use crate::error::Error;
use crate::key_cache::CachedKey;
use crate::verifiers::{Connected, PollReply};
use crate::verify::{Checked, Facts};

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
}

/// Where keys are judged for others, for a caller who may ask about keys that were presented to them.
#[derive(Clone, Debug)]
pub struct Desk {
    service: Service,
}

impl Service {
    /// The desk.
    ///
    /// # Errors
    /// [`Error::ResourceNotAllowed`] or [`Error::Forbidden`], when the calling key's allow list or the
    /// caller's roles do not let them ask.
    pub fn desk(&self, caller: &Caller) -> Result<Desk, Error> {
        caller.require_all_of(Act::VerifyKeys.resource())?;
        caller.require(Act::VerifyKeys, caller.user())?;
        Ok(Desk { service: self.clone() })
    }

    /// Answers the verifiers that wait, at the end of the server.
    pub fn release_verifiers(&self) {
        self.inner.verifiers.close();
    }
}

impl Desk {
    /// Judges presented keys, each by what it is needed for, in order. Being asked about is a use of
    /// a key that is valid.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn check_keys(&self, asked: Vec<(String, Need)>) -> Result<Vec<Checked>, Error> {
        let found = self.service.facts_of_all(asked.iter().map(|(text, _)| text.as_str())).await?;
        let now = self.service.now();
        Ok(asked.iter().zip(found).map(|((_, need), kept)| self.check(kept, need, now)).collect())
    }

    /// Judges one presented key by what it is needed for. Being asked about is a use of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn check_key(&self, text: &str, need: &Need) -> Result<Checked, Error> {
        let found = self.service.facts_of(text, Lane::Normal).await?;
        Ok(self.check(found, need, self.service.now()))
    }

    fn check(&self, kept: Option<Arc<CachedKey>>, need: &Need, now: Timestamp) -> Checked {
        let Some(kept) = kept else { return Checked::Invalid };
        let verdict = kept.verdict(need, now);
        if verdict == Verdict::Valid {
            self.service.inner.usage.note(&kept, now, None);
        }
        Checked::Known { verdict, facts: Facts(kept) }
    }

    /// Tells a verifier what has changed, as soon as something has.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn poll(&self, id: Uuid, name: &str, start: Option<Uuid>, acknowledged: u64) -> Result<PollReply, Error> {
        let may_lease = self.service.before_poll(start).await?;
        let may_lease = || self.service.may_lease(may_lease);
        Ok(self.service.inner.verifiers.poll(id, name, start, acknowledged, self.service.now(), may_lease).await)
    }

    /// Tells a verifier the facts of a key that was presented to it. It is a use of the key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn look_up(&self, text: &str) -> Result<LookedUp, Error> {
        self.service.before_look_up().await?;
        // Before the facts are read: what changes later is not in them.
        let change = self.service.inner.verifiers.latest();
        let found = self.service.facts_of(text, Lane::Normal).await?;
        let now = self.service.now();
        if let Some(kept) = &found {
            self.service.inner.usage.note(kept, now, None);
        }
        let start = self.service.inner.verifiers.start();
        Ok(LookedUp { start, change, now, facts: found.map(Facts) })
    }

    /// The verifiers that are connected, by name.
    #[must_use]
    pub fn connected(&self) -> Vec<Connected> {
        self.service.inner.verifiers.connected()
    }
}
