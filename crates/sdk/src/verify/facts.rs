//! The facts of a key as a verifier remembers them, and the judgement on them.

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use keyward_api::verifiers::{KeyFacts, LookUpResponse};
use keyward_domain::key::PresentedKey;
use keyward_domain::{AllowList, KeyId, Moment, Scope, Timestamp};
use uuid::Uuid;

use super::denied::Denied;
use super::need::Need;

/// What is known of a key. Small, and all that differs from key to key and is needed to judge lies
/// in one piece: with a million keys each use finds it in main memory, and every further place would
/// cost another wait.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) id: Id,
    pub(super) user_is_active: bool,
    /// When the key is over, by this machine's clock: what was left of it when the request was
    /// sent. The server read its own clock later, so this is never too late.
    pub(super) ends: Moment,
    pub(super) expires_at: Timestamp,
    pub(super) holder: Arc<Holder>,
}

/// How the id of a session begins.
const SESSION: &[u8] = b"kws_";

/// A key's id, in place: comparing two needs no look elsewhere.
pub(super) type Id = [u8; KeyId::LENGTH];

/// Whose a key is and what it may do, shared by all keys of one user that may do the same. A key
/// that was accepted is handed out with a reference to this, and to count it is no wait if other
/// keys have been in use. Shared by more, all threads would write to one line of memory.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Holder {
    pub(super) user_id: Uuid,
    pub(super) username: Box<str>,
    pub(super) access: Arc<Access>,
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
    /// Takes the facts out of an answer; none if they are not of a form that is known, or of
    /// another key.
    pub(super) fn of(answer: &LookUpResponse, told: &KeyFacts, presented: &PresentedKey, sent: Moment) -> Option<Self> {
        let left = told.key.expires_at.as_micros().saturating_sub(answer.now.as_micros());
        let grants = told.grants.iter().map(|scope| scope.parse().ok()).collect::<Option<Vec<Scope>>>()?;
        let allow_list = AllowList::from_stored(told.key.allow_list.iter().map(String::as_str)).ok()?;
        let access = Arc::new(Access { scopes: told.key.scopes.clone(), grants, allow_list });
        Some(Self {
            id: id(&told.key.id).filter(|_| presented.id.as_str() == told.key.id)?,
            user_is_active: told.user.status == "active",
            ends: sent.after(Duration::from_micros(u64::try_from(left).unwrap_or(0))),
            expires_at: told.key.expires_at,
            holder: Arc::new(Holder { user_id: told.user.id, username: told.user.username.as_str().into(), access }),
        })
    }

    /// Judges a use at `now`: the end, the user, the scopes, the allow list, in this order, as the
    /// server does.
    pub(super) fn judge(&self, need: &Need, now: Moment) -> Result<(), Denied> {
        if self.ends <= now {
            return Err(Denied::Expired(self.expires_at));
        }
        if !self.user_is_active {
            return Err(Denied::UserSuspended);
        }
        self.holder.access.judge(need)
    }

    /// May a session that is over by these facts have slid since?
    pub(super) fn may_have_slid(&self, judged: &Result<(), Denied>) -> bool {
        matches!(judged, Err(Denied::Expired(_))) && self.id.starts_with(SESSION)
    }
}

/// The id that a text is; none if it has another length, as no key's has.
pub(super) fn id(text: &str) -> Option<Id> {
    text.as_bytes().try_into().ok()
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
