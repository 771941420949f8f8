//! Who asks: a user, the key they presented, and the request it came with.

use std::sync::Arc;

use keyward_domain::access::{self, Act, Decision, Relation, ResourceKind};
use keyward_domain::event::{Actor, Origin, RequestInfo};
use keyward_domain::user::UserRef;
use keyward_domain::{ApiKey, Catalogue, Timestamp, User};
use keyward_storage::{Tx, keys};
use keyward_verdict::{Need, Verdict};

use crate::error::Error;
use crate::key_cache::CachedKey;

/// An authenticated request.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The key and its user. Shared with the cache: most requests need only look at them.
    pub(crate) facts: Arc<CachedKey>,
    /// The request.
    pub request: RequestInfo,
    /// The instant by which everything in the request is judged.
    pub now: Timestamp,
}

impl Caller {
    /// Whose key was presented.
    #[must_use]
    pub fn user(&self) -> &User {
        &self.facts.owned.owner
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &ApiKey {
        &self.facts.owned.key
    }

    /// The judgement on this request by what it needs.
    #[must_use]
    pub fn verdict(&self, need: &Need) -> Verdict {
        self.facts.verdict(need, self.now)
    }

    /// Has the key the scope that the act needs? Asked before anything is looked up.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`] names it.
    pub fn require_scope(&self, act: Act, catalogue: &Catalogue) -> Result<(), Error> {
        let needed = act.scope();
        if catalogue.grants_named(&self.key().scopes, needed) { Ok(()) } else { Err(Error::InsufficientScope(needed)) }
    }

    /// Does the key's allow list cover every thing of this kind, as lists and creates need?
    pub(crate) fn require_all_of(&self, kind: ResourceKind) -> Result<(), Error> {
        if self.key().allow_list.permits_all_of(kind.as_str()) {
            Ok(())
        } else {
            Err(Error::ResourceNotAllowed(format!("{}:*", kind.as_str())))
        }
    }

    /// Does the key's allow list cover this thing?
    pub(crate) fn require_one(&self, kind: ResourceKind, id: &str) -> Result<(), Error> {
        if self.key().allow_list.permits(kind.as_str(), id) {
            Ok(())
        } else {
            Err(Error::ResourceNotAllowed(format!("{}:{id}", kind.as_str())))
        }
    }

    /// May it be done to things of `owner`?
    pub(crate) fn may(&self, act: Act, owner: &User) -> Decision {
        access::decide(&self.user().roles, act, Relation::of(self.user().id, owner))
    }

    /// The same, as an answer: what is hidden is not found.
    pub(crate) fn require(&self, act: Act, owner: &User) -> Result<(), Error> {
        match self.may(act, owner) {
            Decision::Allowed => Ok(()),
            Decision::Denied => Err(Error::Forbidden),
            Decision::Hidden => Err(Error::NotFound),
        }
    }

    /// Whether the reference names the caller. Nothing is looked up for it.
    #[must_use]
    pub fn is_self(&self, user: &UserRef) -> bool {
        match user {
            UserRef::Me => true,
            UserRef::Id(id) => *id == self.user().id,
            UserRef::Name(name) => name.key() == self.user().username.key(),
        }
    }

    /// The caller as the rows say now. Every transaction that changes something begins with it:
    /// between the check of the right and the write, the calling key may have been ended, or its user
    /// suspended or demoted. What ends all keys of a user, such as a new password, is not outlived by
    /// a key that was being made.
    pub(crate) fn confirm(&self, tx: &mut Tx<'_>) -> Result<Self, Error> {
        let owned = keys::find(tx, &self.key().id)?.ok_or(Error::CallerEnded(None))?;
        if owned.key.is_dead(self.now) {
            return Err(Error::CallerEnded(Some(owned.key.expires_at)));
        }
        if !owned.owner.is_active() {
            return Err(Error::Suspended);
        }
        Ok(Self { facts: Arc::new(self.facts.renewed(owned)), request: self.request.clone(), now: self.now })
    }

    /// What the events of this request have in common.
    pub(crate) fn origin(&self) -> Origin {
        Origin { time: self.now, request: Some(self.request.clone()), actor: Some(Actor::from(self.user())) }
    }
}
