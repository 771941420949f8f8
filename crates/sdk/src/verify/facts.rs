//! The facts of a key as a verifier remembers them, and the judgement on them.

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keyward_api::verifiers::{KeyFacts, LookUpResponse};
use keyward_domain::key::{Digest, KeyText};
use keyward_domain::{AllowList, KeyId, LoginType, Moment, Scope, Timestamp};
use uuid::Uuid;

use super::denied::Denied;
use super::need::Need;

/// What is remembered of a key. Small, and all that differs from key to key and is needed to judge
/// lies in one piece: with a million keys each use finds it outside the processor's caches, and
/// every further place would cost another wait.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) id: KeyId,
    pub(super) digest: Digest,
    /// When the key is over, by this machine's clock: what was left of it when the request was
    /// sent. The server read its own clock later, so this is never too late.
    pub(super) ends: Moment,
    pub(super) expires_at: Timestamp,
    pub(super) token_name: Box<str>,
    pub(super) owner: Arc<Owner>,
    pub(super) access: Arc<Access>,
    /// The owner's, kept here too: see above.
    pub(super) owner_is_active: bool,
    /// Was it used since the memory last looked for something to forget?
    pub(super) used: AtomicBool,
}

/// The user of a key, shared by all keys of theirs that are remembered.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Owner {
    pub(super) id: Uuid,
    pub(super) username: String,
}

/// What a key may do, shared by all keys that are remembered and may do the same.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Access {
    /// As the key was given them.
    pub(super) scopes: Vec<String>,
    /// With what composites stand for in their place.
    pub(super) grants: Vec<Scope>,
    pub(super) allow_list: AllowList,
}

impl Facts {
    /// Takes the facts out of an answer; none if they are not of a form that is known.
    pub(super) fn of(answer: &LookUpResponse, told: &KeyFacts, key: &KeyText<'_>, sent: Moment) -> Option<Self> {
        let left = told.key.expires_at.as_micros().saturating_sub(answer.now.as_micros());
        let grants = told.grants.iter().map(|scope| scope.parse().ok()).collect::<Option<Vec<Scope>>>()?;
        let allow_list = AllowList::from_stored(told.key.allow_list.iter().map(String::as_str)).ok()?;
        Some(Self {
            // A fact of another key is no answer to what was asked.
            id: Some(key.id().clone()).filter(|id| id.as_str() == told.key.id)?,
            digest: key.digest(),
            ends: sent.after(Duration::from_micros(u64::try_from(left).unwrap_or(0))),
            expires_at: told.key.expires_at,
            token_name: told.key.token_name.as_str().into(),
            owner: Arc::new(Owner { id: told.user.id, username: told.user.username.clone() }),
            access: Arc::new(Access { scopes: told.key.scopes.clone(), grants, allow_list }),
            owner_is_active: told.user.status == "active",
            used: AtomicBool::new(false),
        })
    }

    /// Judges a use at `now`: the end, the user, the scopes, the allow list, in this order, as the
    /// server does.
    pub(super) fn judge(&self, need: &Need, now: Moment) -> Result<(), Denied> {
        if self.ends <= now {
            return Err(Denied::Expired(self.expires_at));
        }
        if !self.owner_is_active {
            return Err(Denied::UserSuspended);
        }
        self.access.judge(need)
    }

    /// May a session that is over by these facts have slid since?
    pub(super) fn may_have_slid(&self, judged: &Result<(), Denied>) -> bool {
        matches!(judged, Err(Denied::Expired(_))) && self.id.login_type() == Some(LoginType::Password)
    }

    /// Notes a use. Mostly it is noted already, and the line of memory is not written to.
    pub(super) fn mark_used(&self) {
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
    }
}

impl Access {
    pub(super) fn judge(&self, need: &Need) -> Result<(), Denied> {
        if let Some(text) = &need.unreadable_scope {
            return Err(Denied::UnreadableNeed(text.clone()));
        }
        let lacks = |scope: &&Scope| !self.grants.iter().any(|held| held.covers(scope));
        if let Some(missing) = need.scopes.iter().find(lacks) {
            return Err(Denied::InsufficientScope(missing.to_string()));
        }
        match need.first_outside(|resource| self.allow_list.permits_resource(resource)) {
            Some(outside) => Err(Denied::ResourceNotAllowed(outside)),
            None => Ok(()),
        }
    }
}
