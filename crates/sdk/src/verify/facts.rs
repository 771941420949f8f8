//! The facts of a key as a verifier remembers them.

use std::sync::Arc;
use std::time::Duration;

use keyward_api::verifiers::{KeyFacts, LookUpResponse};
use keyward_domain::key::PresentedKey;
use keyward_domain::{AllowList, Moment, Scope, Scopes, Timestamp, UserId};
use keyward_verdict::{Grant, Id, Need, Remembered, Verdict};
use uuid::Uuid;

/// What is known of a key. Small, and all that differs from key to key and is needed to judge lies
/// in one piece: with a million keys each use finds it in main memory, and every further place would
/// cost another wait.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) id: Id,
    pub(super) user_is_active: bool,
    /// When the key ends, by this machine's clock: what was left of it when the request was sent.
    /// The server read its own clock later, so this is never too late.
    pub(super) ends: Moment,
    pub(super) expires_at: Timestamp,
    pub(super) holder: Arc<Holder>,
}

/// How the id of a session begins.
const SESSION: &[u8] = b"kws_";

/// A key's user and what the key may do, shared by all keys of one user that may do the same. An
/// accepted key is handed out with a reference to this, and to count it is no wait if other keys have
/// been in use. Shared by more, all threads would write to one cache line.
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
    /// With the parts of the composites among them.
    pub(super) grants: Scopes,
    pub(super) allow_list: AllowList,
    /// What a lock says; none if no lock refuses the key.
    pub(super) locked: Option<String>,
}

impl Facts {
    /// Reads the facts from an answer to a request that was sent at `sent`; none if their form is
    /// unknown, or they are of another key.
    pub(super) fn of(answer: &LookUpResponse, told: &KeyFacts, presented: &PresentedKey, sent: Moment) -> Option<Self> {
        let left = told.expires_at.as_micros().saturating_sub(answer.now.as_micros());
        let grants = told.grants.iter().map(|scope| scope.parse().ok()).collect::<Option<Vec<Scope>>>()?;
        // A locked key has no grants, and a key of which a lock leaves nothing has none either.
        let grants = Scopes::new(grants).unwrap_or_else(Scopes::none);
        let allow_list = AllowList::from_stored(told.allow_list.iter().map(String::as_str)).ok()?;
        let access = Arc::new(Access { scopes: told.scopes.clone(), grants, allow_list, locked: told.locked.clone() });
        Some(Self {
            id: keyward_verdict::id(&told.key_id).filter(|_| presented.id.as_str() == told.key_id)?,
            user_is_active: told.user_is_active,
            ends: sent.after(Duration::from_micros(u64::try_from(left).unwrap_or(0))),
            expires_at: told.expires_at,
            holder: Arc::new(Holder { user_id: told.user_id, username: told.username.as_str().into(), access }),
        })
    }

    /// The judgement on a use at `now`.
    #[inline]
    pub(super) fn verdict(&self, need: &Need, now: Moment) -> Verdict {
        let facts = keyward_verdict::Facts {
            // An ended key has its end in the past.
            ended: false,
            ends: self.ends,
            expires_at: self.expires_at,
            user_is_active: self.user_is_active,
            locked: self.holder.access.locked.as_deref(),
            grant: self.holder.access.grant(),
        };
        facts.judge(need, now)
    }

    /// Whether a session that has ended by these facts may have slid since.
    pub(super) fn may_have_slid(&self, verdict: &Verdict) -> bool {
        matches!(verdict, Verdict::Expired(_)) && self.id.starts_with(SESSION)
    }
}

impl Remembered for Facts {
    #[inline]
    fn id(&self) -> &Id {
        &self.id
    }

    fn user(&self) -> UserId {
        UserId::from_uuid(self.holder.user_id)
    }
}

impl Access {
    #[inline]
    pub(super) fn grant(&self) -> Grant<'_> {
        Grant { scopes: &self.grants, allow_list: &self.allow_list }
    }
}
