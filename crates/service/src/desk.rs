//! Verifies keys for services and embedded verifiers.

use std::sync::Arc;

use keyward_domain::access::Act;
use keyward_domain::{Timestamp, UserId};
use keyward_storage::Lane;
use keyward_verdict::{Need, Verdict};
use uuid::Uuid;

use crate::Service;
use crate::activity::Via;
use crate::caller::Caller;
use crate::error::Error;
use crate::key_cache::CachedKey;
use crate::reports::Report;
use crate::verifiers::{Connected, PollReply};
use crate::verify::{Checked, Facts};

/// The response to a verifier's lookup: the facts, and the position that it needs to cache them.
#[derive(Clone, Debug)]
pub struct LookedUp {
    /// The id of this server's start.
    pub start: Uuid,
    /// The number of the last change before the facts were read.
    pub change: u64,
    /// The time of the response.
    pub now: Timestamp,
    /// The facts, if the secret is right.
    pub facts: Option<Facts>,
}

/// Verifies keys for a caller who may do so.
#[derive(Clone, Debug)]
pub struct Desk {
    service: Service,
    /// The user who asks.
    asked_by: UserId,
}

impl Service {
    /// Opens the desk.
    ///
    /// # Errors
    /// [`Error::ResourceNotAllowed`] or [`Error::Forbidden`] if the calling key's allow list or the
    /// caller's roles do not permit verifying keys.
    pub fn desk(&self, caller: &Caller) -> Result<Desk, Error> {
        caller.require_all_of(Act::VerifyKeys.resource())?;
        caller.require(Act::VerifyKeys, caller.user())?;
        Ok(Desk { service: self.clone(), asked_by: caller.user().id })
    }

    /// Answers all waiting polls. Called at shutdown.
    pub fn release_verifiers(&self) {
        self.inner.verifiers.close();
    }
}

impl Desk {
    /// Judges presented keys, each with its need, in order. This records a use of each valid key.
    ///
    /// # Errors
    /// [`Error::Store`] if the database fails.
    pub async fn check_keys(&self, asked: Vec<(String, Need)>) -> Result<Vec<Checked>, Error> {
        let found = self.service.facts_of_all(asked.iter().map(|(text, _)| text.as_str())).await?;
        let now = self.service.now();
        Ok(asked.iter().zip(found).map(|((_, need), cached)| self.check(cached, need, now)).collect())
    }

    /// Judges one presented key for a need. This records a use of a valid key.
    ///
    /// # Errors
    /// [`Error::Store`] if the database fails.
    pub async fn check_key(&self, text: &str, need: &Need) -> Result<Checked, Error> {
        let found = self.service.facts_of(text, Lane::Normal).await?;
        Ok(self.check(found, need, self.service.now()))
    }

    fn check(&self, cached: Option<Arc<CachedKey>>, need: &Need, now: Timestamp) -> Checked {
        let Some(cached) = cached else { return Checked::Invalid };
        let verdict = cached.verdict(need, now);
        let key = &cached.owned.key.id;
        if verdict == Verdict::Valid {
            self.service.inner.usage.note(&cached, now, None);
            self.service.count_use(key, Via::Verify, Some(self.asked_by), None, now);
        } else {
            self.service.count_refusal(key, verdict.code(), None);
        }
        Checked::Known { verdict, facts: Facts(cached) }
    }

    /// Answers a verifier's poll with the changes, as soon as there is one.
    ///
    /// # Errors
    /// [`Error::Store`] if the database fails.
    pub async fn poll(&self, id: Uuid, name: &str, start: Option<Uuid>, acknowledged: u64) -> Result<PollReply, Error> {
        let may_lease = self.service.before_poll(start).await?;
        let may_lease = || self.service.may_lease(may_lease);
        Ok(self.service.inner.verifiers.poll(id, name, start, acknowledged, self.service.now(), may_lease).await)
    }

    /// Takes the reports of a verifier about accepted uses. They are checked and written later.
    pub fn report(&self, reports: Vec<Report>) {
        self.service.take_reports(self.asked_by, reports);
    }

    /// The time, from which reports are counted back.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.service.now()
    }

    /// Returns the facts of a presented key to a verifier. This records a use of the key.
    ///
    /// # Errors
    /// [`Error::Store`] if the database fails.
    pub async fn look_up(&self, text: &str) -> Result<LookedUp, Error> {
        self.service.before_look_up().await?;
        // Read before the facts, because they may not include later changes.
        let change = self.service.inner.verifiers.latest();
        let found = self.service.facts_of(text, Lane::Normal).await?;
        let now = self.service.now();
        if let Some(cached) = &found {
            self.service.inner.usage.note(cached, now, None);
            self.service.count_use(&cached.owned.key.id, Via::Embedded, Some(self.asked_by), None, now);
        }
        let start = self.service.inner.verifiers.start();
        Ok(LookedUp { start, change, now, facts: found.map(Facts) })
    }

    /// The connected verifiers, sorted by name.
    #[must_use]
    pub fn connected(&self) -> Vec<Connected> {
        self.service.inner.verifiers.connected()
    }
}
