//! The caller of a use case: a user, the presented key, and the request.

use std::sync::Arc;

use keyward_domain::access::{self, Act, Decision, Relation, ResourceKind};
use keyward_domain::event::{ActingKey, Actor, Origin, RequestInfo};
use keyward_domain::user::UserRef;
use keyward_domain::{ApiKey, Catalogue, KeyId, Timestamp, User};
use keyward_storage::{Tx, keys};
use keyward_verdict::{Need, Verdict};

use crate::error::Error;
use crate::key_cache::CachedKey;

/// An authenticated request.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The key and its owner, shared with the cache because most requests only read them.
    pub(crate) facts: Arc<CachedKey>,
    /// The request.
    pub request: RequestInfo,
    /// The time at which everything in the request is judged.
    pub now: Timestamp,
    /// The key that created the calling key, the key that created that one, and so on. Empty until
    /// [`Caller::with_minters`] reads them, because only changes need them.
    pub(crate) minters: Vec<KeyId>,
}

impl Caller {
    /// The owner of the presented key.
    #[must_use]
    pub fn user(&self) -> &User {
        &self.facts.owned.owner
    }

    /// The presented key.
    #[must_use]
    pub fn key(&self) -> &ApiKey {
        &self.facts.owned.key
    }

    /// Judges the key for a need at the time of the request.
    #[must_use]
    pub fn verdict(&self, need: &Need) -> Verdict {
        self.facts.verdict(need, self.now)
    }

    /// Requires the scope of the act. Called before any lookup.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`] with the missing scope.
    pub fn require_scope(&self, act: Act, catalogue: &Catalogue) -> Result<(), Error> {
        let needed = act.scope();
        // Without the scopes that a lock takes.
        if catalogue.grants_named(&self.key().scopes, needed) { Ok(()) } else { Err(Error::InsufficientScope(needed)) }
    }

    /// Requires that the key's allow list covers every resource of this type, as lists and creates need.
    pub(crate) fn require_all_of(&self, kind: ResourceKind) -> Result<(), Error> {
        if self.key().allow_list.permits_all_of(kind.as_str()) {
            Ok(())
        } else {
            Err(Error::ResourceNotAllowed(format!("{}:*", kind.as_str())))
        }
    }

    /// Requires that the key's allow list covers this resource.
    pub(crate) fn require_one(&self, kind: ResourceKind, id: &str) -> Result<(), Error> {
        if self.key().allow_list.permits(kind.as_str(), id) {
            Ok(())
        } else {
            Err(Error::ResourceNotAllowed(format!("{}:{id}", kind.as_str())))
        }
    }

    /// Decides whether the caller may do the act to resources of `owner`.
    pub(crate) fn may(&self, act: Act, owner: &User) -> Decision {
        access::decide(&self.user().roles, act, Relation::of(self.user().id, owner))
    }

    /// Like [`Caller::may`], as an error: a hidden resource is not found.
    pub(crate) fn require(&self, act: Act, owner: &User) -> Result<(), Error> {
        match self.may(act, owner) {
            Decision::Allowed => Ok(()),
            Decision::Denied => Err(Error::Forbidden),
            Decision::Hidden => Err(Error::NotFound),
        }
    }

    /// Whether the reference names the caller. Needs no lookup.
    #[must_use]
    pub fn is_self(&self, user: &UserRef) -> bool {
        match user {
            UserRef::Me => true,
            UserRef::Id(id) => *id == self.user().id,
            UserRef::Name(name) => name.key() == self.user().username.key(),
        }
    }

    /// Checks the caller again on the current rows. Every transaction that changes something begins
    /// with this: since authentication, the calling key may have been ended, or its owner suspended or
    /// demoted. So no key is created after a new password, say, has ended all keys of the user.
    pub(crate) fn confirm(&self, tx: &mut Tx<'_>) -> Result<Self, Error> {
        let owned = keys::find(tx, &self.key().id)?.ok_or(Error::CallerEnded(None))?;
        if owned.key.is_dead(self.now) {
            return Err(Error::CallerEnded(Some(owned.key.expires_at)));
        }
        if !owned.owner.is_active() {
            return Err(Error::Suspended);
        }
        let facts = Arc::new(self.facts.renewed(owned));
        Self { facts, request: self.request.clone(), now: self.now, minters: Vec::new() }.with_minters(tx)
    }

    /// The caller with the ids of the keys that led to the calling key, for the audit log.
    pub(crate) fn with_minters(self, tx: &mut Tx<'_>) -> Result<Self, Error> {
        let minters = keys::minters(tx, self.key())?;
        Ok(Self { minters, ..self })
    }

    /// The origin of the events of this request.
    pub(crate) fn origin(&self) -> Origin {
        Origin {
            time: self.now,
            request: Some(self.request.clone()),
            actor: Some(Actor::from(self.user())),
            key: Some(ActingKey { id: self.key().id.clone(), minted_by: self.minters.clone() }),
        }
    }
}
