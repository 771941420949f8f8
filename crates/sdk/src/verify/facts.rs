//! The facts of a key as a verifier remembers them, and the judgement on them.

use std::time::Duration;

use keyward_api::verifiers::{KeyFacts, LookUpResponse};
use keyward_domain::{AllowList, Scope, Timestamp};
use uuid::Uuid;

use super::clock::Moment;
use super::need::Need;
use super::verifier::Denied;

/// A key that is good for what it was needed for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// The key's id.
    pub key_id: String,
    /// Its user's id.
    pub user_id: Uuid,
    /// Its user's name.
    pub username: String,
    /// Its scopes, as it was given them.
    pub scopes: Vec<String>,
    /// When it is over.
    pub expires_at: Timestamp,
}

#[derive(Debug)]
pub(super) struct Facts {
    pub(super) key_id: String,
    verified: Verified,
    user_is_active: bool,
    grants: Vec<Scope>,
    allow_list: AllowList,
    /// When the key is over, by this machine's clock: what was left of it when the request was
    /// sent. The server read its own clock later, so this is never too late.
    ends: Moment,
}

impl Facts {
    /// Takes the facts out of an answer; none if they are not of a form that is known.
    pub(super) fn of(answer: &LookUpResponse, facts: &KeyFacts, sent: Moment) -> Option<Self> {
        let left = facts.key.expires_at.as_micros().saturating_sub(answer.now.as_micros());
        let grants = facts.grants.iter().map(|scope| scope.parse().ok()).collect::<Option<Vec<Scope>>>()?;
        Some(Self {
            key_id: facts.key.id.clone(),
            verified: Verified {
                key_id: facts.key.id.clone(),
                user_id: facts.user.id,
                username: facts.user.username.clone(),
                scopes: facts.key.scopes.clone(),
                expires_at: facts.key.expires_at,
            },
            user_is_active: facts.user.status == "active",
            grants,
            allow_list: AllowList::from_stored(facts.key.allow_list.iter().map(String::as_str)).ok()?,
            ends: sent.after(Duration::from_micros(u64::try_from(left).unwrap_or(0))),
        })
    }

    /// Judges a use at `now`: the end, the user, the scopes, the allow list, in this order, as the
    /// server does.
    pub(super) fn judge(&self, need: &Need, now: Moment) -> Result<Verified, Denied> {
        if self.ends <= now {
            return Err(Denied::Expired(self.verified.expires_at));
        }
        if !self.user_is_active {
            return Err(Denied::UserSuspended);
        }
        let lacks = |scope: &&Scope| !self.grants.iter().any(|held| held.covers(scope));
        if let Some(missing) = need.scopes.iter().find(lacks) {
            return Err(Denied::InsufficientScope(missing.to_string()));
        }
        match need.resources.iter().find(|resource| !self.allow_list.permits_resource(resource)) {
            Some(outside) => Err(Denied::ResourceNotAllowed(outside.to_string())),
            None => Ok(self.verified.clone()),
        }
    }
}
