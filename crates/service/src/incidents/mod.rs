//! Incidents: ends all keys that a selector matches, after a preview of exactly these keys.
//!
//! The preview and the request select with the same code, and the request names the digest of the
//! preview's keys, so that it ends those and no others. The ids are stored before the first key ends, and
//! each batch ends its keys and records its progress in one transaction: a request that was stopped goes
//! on where it stopped, and no key is ended or recorded twice.

mod preview;

pub use keyward_storage::incidents::{End, Incident};
pub use preview::{OwnerCount, Preview};

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use keyward_domain::access::{self, Act, Decision, Relation};
use keyward_domain::event::{Cause, Event, Origin};
use keyward_domain::key::{EndNote, EndReason, Ending, KeySelector};
use keyward_domain::user::UserRef;
use keyward_domain::{ApiKey, KeyId, Timestamp, User, UserId};
use keyward_storage::deadline::within;
use keyward_storage::{Conn, Lane, StoreError, Tx, incidents, keys, users};
use tokio::time::Instant;
use uuid::Uuid;

use crate::Service;
use crate::caller::Caller;
use crate::error::Error;
use crate::verifiers::Barrier;
use preview::Found;

/// Keys that one transaction ends. Other writers wait for it, some 40 ms on SQLite.
const BATCH: usize = 500;

/// How long the database may take for one batch.
const BATCH_WITHIN: Duration = Duration::from_millis(5_500);

/// What to end.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The conditions, except for the owner.
    pub selector: KeySelector,
    /// The owner, if the keys of one user are selected.
    pub user: Option<UserRef>,
    /// The selector as JSON, as it was sent.
    pub text: String,
    /// Whether the keys end too that the selected ones have created, and so on.
    pub cascades: bool,
    /// Whether the calling key ends too, if it is selected.
    pub includes_caller: bool,
}

/// Why keys are ended, and which preview is confirmed.
#[derive(Clone, Debug)]
pub struct Confirmed {
    /// The reason.
    pub reason: EndReason,
    /// A note on why.
    pub note: Option<EndNote>,
    /// The id of the incident; none for a new one. The request goes on with a known one.
    pub id: Option<Uuid>,
    /// The digest of a preview.
    pub digest: String,
}

/// Ends many keys for a caller who may do so.
#[derive(Debug)]
pub struct IncidentDesk<'a> {
    service: &'a Service,
    caller: &'a Caller,
}

/// Whose keys a caller may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    Everyone,
    AllButOwners,
    Own,
}

impl Reach {
    pub(crate) fn of(caller: &Caller) -> Self {
        let roles = &caller.user().roles;
        if access::everywhere(roles, Act::ExpireKey) {
            Self::Everyone
        } else if access::decide(roles, Act::ExpireKey, Relation::Other) == Decision::Allowed {
            Self::AllButOwners
        } else {
            Self::Own
        }
    }

    /// The only user whose keys the caller may end, if it is one; and the caller, if they may not end the
    /// keys of other users with the role owner.
    pub(crate) fn users(self, caller: &Caller) -> (Option<UserId>, Option<UserId>) {
        let own = caller.user().id;
        match self {
            Self::Everyone => (None, None),
            Self::AllButOwners => (None, Some(own)),
            Self::Own => (Some(own), None),
        }
    }
}

impl Service {
    /// Opens the desk for a caller. The calling key's allow list must cover all keys.
    ///
    /// # Errors
    /// [`Error::ResourceNotAllowed`].
    pub fn incident_desk<'a>(&'a self, caller: &'a Caller) -> Result<IncidentDesk<'a>, Error> {
        caller.require_all_of(Act::ExpireKey.resource())?;
        Ok(IncidentDesk { service: self, caller })
    }
}

impl IncidentDesk<'_> {
    pub(crate) fn service(&self) -> &Service {
        self.service
    }

    /// What [`Self::expire`] would end now.
    ///
    /// # Errors
    /// [`Error::UnknownUser`] if the selector names a user who is missing or hidden; [`Error::Store`].
    pub async fn preview(&self, wanted: &Wanted) -> Result<Preview, Error> {
        Ok(self.find(wanted).await?.preview(self.caller.now))
    }

    /// Ends the keys of a preview, and returns once no server and no verifier accepts any of them. If an
    /// incident has this id, goes on with it.
    ///
    /// # Errors
    /// [`Error::SelectionChanged`] if the selector matches other keys than those of the preview;
    /// [`Error::IncidentDiffers`] if the incident with this id has other keys; [`Error::NotFound`] if it
    /// is another user's.
    pub async fn expire(&self, wanted: &Wanted, confirmed: &Confirmed) -> Result<(Incident, Barrier), Error> {
        let known = match confirmed.id {
            Some(id) => self.read(move |conn| incidents::find(conn, id)).await?,
            None => None,
        };
        let incident = match known {
            Some(incident) if incident.actor != self.caller.user().id => return Err(Error::NotFound),
            Some(incident) if incident.digest != confirmed.digest => return Err(Error::IncidentDiffers),
            Some(incident) => incident,
            None => self.begin(wanted, confirmed).await?,
        };
        self.go_on(incident.id).await
    }

    /// An incident that the caller may see.
    ///
    /// # Errors
    /// [`Error::NotFound`] if it is missing or hidden.
    pub async fn view(&self, id: Uuid) -> Result<Incident, Error> {
        let found = self.read(move |conn| incidents::find(conn, id)).await?;
        found.filter(|incident| self.may_see(incident)).ok_or(Error::NotFound)
    }

    /// The newest incidents that the caller may see, from before the given one.
    ///
    /// # Errors
    /// [`Error::Store`] if the database fails.
    pub async fn list(&self, before: (Timestamp, Uuid), limit: i64) -> Result<Vec<Incident>, Error> {
        let found = self.read(move |conn| incidents::list(conn, before, limit)).await?;
        Ok(found.into_iter().filter(|incident| self.may_see(incident)).collect())
    }

    /// Those who read the audit log see all incidents, and everyone sees their own.
    fn may_see(&self, incident: &Incident) -> bool {
        let user = self.caller.user();
        incident.actor == user.id || access::decide(&user.roles, Act::ReadAudit, Relation::Other) == Decision::Allowed
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Conn<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Error> {
        Ok(self.service.inner.store.read(Lane::Normal, work).await?)
    }

    async fn find(&self, wanted: &Wanted) -> Result<Found, Error> {
        let (service, caller) = (self.service.clone(), self.caller.clone());
        let mut wanted = wanted.clone();
        if let Some(user) = &wanted.user {
            let user = service.user_in_path(&caller, user, Lane::Normal).await;
            wanted.selector.user = Some(user.map_err(Error::of_selected_user)?.id);
        }
        let reach = Reach::of(&caller);
        let catalogue = service.inner.catalogue.clone();
        self.read(move |conn| preview::find(conn, &wanted, &caller, reach, &catalogue)).await
    }

    async fn begin(&self, wanted: &Wanted, confirmed: &Confirmed) -> Result<Incident, Error> {
        let found = self.find(wanted).await?;
        if found.digest != confirmed.digest {
            return Err(Error::SelectionChanged(Box::new(found.preview(self.caller.now))));
        }
        let (caller, now) = (self.caller.clone(), self.caller.now);
        let incident = Incident {
            id: confirmed.id.unwrap_or_else(Uuid::now_v7),
            actor: caller.user().id,
            actor_username: caller.user().username.to_string(),
            key_id: caller.key().id.clone(),
            selector: wanted.text.clone(),
            reason: confirmed.reason,
            note: confirmed.note.clone(),
            cascades: wanted.cascades,
            includes_caller: wanted.includes_caller,
            digest: found.digest.clone(),
            matched: i64::try_from(found.ids.len()).unwrap_or(i64::MAX),
            done: 0,
            expired: 0,
            started_at: now,
            active_at: now,
            end: None,
        };
        let stored = incident.clone();
        let work = move |tx: &mut Tx<'_>| {
            let caller = caller.confirm(tx)?;
            incidents::begin(tx, &stored, &found.ids).map_err(|error| match error {
                // Another request with this id began first.
                StoreError::Taken => Error::IncidentDiffers,
                other => Error::Store(other),
            })?;
            let Incident { id, reason, note, digest, .. } = stored;
            let matched = found.ids.len();
            tx.record(&caller.origin(), Event::IncidentBegan { id, matched, digest, reason, note });
            Ok::<_, Error>(())
        };
        self.service.change(Lane::Normal, work).await?;
        Ok(incident)
    }

    /// Ends the keys that are left, batch by batch, and waits for the verifiers once, after the last. Each
    /// batch has its own deadline, because all of them together may take longer than a request may.
    async fn go_on(&self, id: Uuid) -> Result<(Incident, Barrier), Error> {
        let ids = self.read(move |conn| incidents::keys(conn, id)).await?;
        let all: Arc<HashSet<KeyId>> = Arc::new(ids.iter().cloned().collect());
        loop {
            match within(Instant::now() + BATCH_WITHIN, self.end_batch(id, &ids, Arc::clone(&all))).await {
                Ok(Some(incident)) => return within(Instant::now() + BATCH_WITHIN, self.end(incident)).await,
                // Another request with the same id did this batch: read on from where it is.
                Ok(None) | Err(Error::IncidentMovedOn) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Ends the keys of the next batch. Returns the incident if none is left.
    async fn end_batch(&self, id: Uuid, ids: &[KeyId], all: Arc<HashSet<KeyId>>) -> Result<Option<Incident>, Error> {
        let incident = self.read(move |conn| incidents::find(conn, id)).await?.ok_or(Error::NotFound)?;
        let before = usize::try_from(incident.done).unwrap_or(usize::MAX);
        let batch: Vec<KeyId> = ids.iter().skip(before).take(BATCH).cloned().collect();
        if batch.is_empty() {
            return Ok(Some(incident));
        }
        let (caller, now) = (self.caller.clone(), self.service.now());
        let work = move |tx: &mut Tx<'_>| {
            let caller = caller.confirm(tx)?;
            let keys = keys::find_many_for_update(tx, &batch)?;
            require_rights(tx, &caller, &keys, now)?;
            let ending = Ending {
                cause: Cause::Incident,
                reason: Some(incident.reason),
                note: incident.note.clone(),
                incident: Some(id),
            };
            let done = incident.done + i64::try_from(batch.len()).unwrap_or(0);
            let origin = Origin { time: now, ..caller.origin() };
            // Sessions end with the keys that created them. They count if they are keys of the incident.
            let ended = keys::expire_many(tx, keys, now, &ending, &origin)?;
            let expired = i64::try_from(ended.iter().filter(|id| all.contains(*id)).count()).unwrap_or(i64::MAX);
            if incidents::advance(tx, id, incident.done, done, expired, now)? {
                Ok(())
            } else {
                Err(Error::IncidentMovedOn)
            }
        };
        self.service.change_without_wait(Lane::Normal, work).await?;
        Ok(None)
    }

    async fn end(&self, incident: Incident) -> Result<(Incident, Barrier), Error> {
        // A change of nothing has a later number than all batches, also those of an earlier request.
        let promise = |tx: &mut Tx<'_>| {
            tx.promise_end();
            Ok::<_, Error>(())
        };
        let ((), barrier) = self.service.change_and_report(Lane::Urgent, promise).await?;
        if incident.end.is_some() {
            return Ok((incident, barrier));
        }
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let end = End {
            at: self.service.now(),
            confirmed: count(barrier.confirmed),
            lapsed: count(barrier.lapsed),
            waited_ms: i64::try_from(barrier.waited.as_millis()).unwrap_or(i64::MAX),
            witnesses: barrier.confirmation(self.service.now()).witnesses,
        };
        let (ending, ended) = (incident.clone(), end.clone());
        let origin = Origin { time: end.at, ..self.caller.origin() };
        let work = move |tx: &mut Tx<'_>| Ok::<_, Error>(incidents::end(tx, &ending, &ended, &origin)?);
        self.service.change(Lane::Normal, work).await?;
        Ok((Incident { end: Some(end), ..incident }, barrier))
    }
}

/// Checks the right to end each live key on the current rows: since the incident began, the caller or an
/// owner of a key may have got other roles.
fn require_rights(tx: &mut Tx<'_>, caller: &Caller, keys: &[ApiKey], now: Timestamp) -> Result<(), Error> {
    if Reach::of(caller) == Reach::Everyone {
        return Ok(());
    }
    let mut owners: HashMap<UserId, Option<User>> = HashMap::new();
    for key in keys.iter().filter(|key| !key.is_dead(now)) {
        let owner = match owners.get(&key.user_id) {
            Some(owner) => owner,
            None => {
                let found = users::find(tx, &UserRef::Id(key.user_id))?;
                owners.entry(key.user_id).or_insert(found)
            }
        };
        let allowed = owner.as_ref().is_some_and(|owner| caller.may(Act::ExpireKey, owner) == Decision::Allowed);
        if !allowed {
            return Err(Error::Forbidden);
        }
    }
    Ok(())
}
