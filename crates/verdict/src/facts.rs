//! Facts about a key, and the judgement of a use.

use keyward_domain::{AllowList, Scope, Scopes, Timestamp};

use crate::need::Need;
use crate::verdict::Verdict;

/// The rights of a key: what it may do, and to which resources.
#[derive(Clone, Copy, Debug)]
pub struct Grant<'a> {
    /// The key's scopes with the parts of its composites; see
    /// [`Catalogue::expand`](keyward_domain::Catalogue::expand).
    pub scopes: &'a Scopes,
    /// The key's allow list.
    pub allow_list: &'a AllowList,
}

impl Grant<'_> {
    /// Returns [`Verdict::Valid`] if the grant covers the need, or else what is missing.
    #[inline]
    #[must_use]
    pub fn covers(&self, need: &Need) -> Verdict {
        if let Some(text) = need.unreadable_scope() {
            return Verdict::UnreadableNeed(text.to_owned());
        }
        let lacks = |scope: &&Scope| !self.scopes.iter().any(|held| held.covers(scope));
        if let Some(missing) = need.scopes().iter().find(lacks) {
            return Verdict::InsufficientScope(missing.to_string());
        }
        match need.first_outside(|resource| self.allow_list.permits_resource(resource)) {
            Some(outside) => Verdict::ResourceNotAllowed(outside),
            None => Verdict::Valid,
        }
    }
}

/// Facts about a key whose secret is right. `T` is a time of the clock in use: the server's wall
/// clock, or a verifier's monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a, T> {
    /// Whether the key was ended by hand. Such a key is dead at every time.
    pub ended: bool,
    /// Expiry: the key is rejected from this instant on.
    pub ends: T,
    /// The same expiry as a timestamp, for the verdict.
    pub expires_at: Timestamp,
    /// Whether the key's owner is active, not suspended.
    pub user_is_active: bool,
    /// What a lock on the key says to its holder; none if no lock refuses it.
    pub locked: Option<&'a str>,
    /// The rights of the key.
    pub grant: Grant<'a>,
}

impl<T: Ord> Facts<'_, T> {
    /// Judges a use of the key at `now`. Checks the expiry, the owner, locks, the scopes and the allow list,
    /// in this order.
    #[inline]
    #[must_use]
    pub fn judge(&self, need: &Need, now: T) -> Verdict {
        if self.ended || self.ends <= now {
            return Verdict::Expired(self.expires_at);
        }
        if !self.user_is_active {
            return Verdict::UserSuspended;
        }
        if let Some(message) = self.locked {
            return Verdict::Locked(message.to_owned());
        }
        self.grant.covers(need)
    }
}

#[cfg(test)]
mod tests {
    use keyward_domain::Catalogue;

    use super::*;

    const END: Timestamp = Timestamp::EPOCH;

    fn need(scopes: &[&str], resources: &[&str]) -> Need {
        let need = scopes.iter().fold(Need::nothing(), |need, scope| need.and_scope(scope));
        resources.iter().fold(need, |need, resource| need.on(resource))
    }

    #[test]
    fn a_key_is_judged_by_end_user_scope_and_resource_in_this_order() {
        let catalogue = Catalogue::built_in();
        let held = catalogue.parse_scopes(["workspace:read", "coder:workspaces.access"]).unwrap();
        let (scopes, allow_list) = (catalogue.expand(&held), AllowList::parse(["workspace:w1"], &catalogue).unwrap());
        let grant = Grant { scopes: &scopes, allow_list: &allow_list };
        let judge = |user_is_active, need: &Need, now| {
            Facts { ended: false, ends: 10, expires_at: END, user_is_active, locked: None, grant }.judge(need, now)
        };
        let good = need(&["workspace:read", "workspace:ssh"], &["workspace:w1"]);
        assert_eq!(judge(true, &good, 9), Verdict::Valid);
        assert_eq!(judge(true, &Need::nothing(), 9), Verdict::Valid);
        assert_eq!(judge(true, &Need::scope("coder:workspaces.access"), 9), Verdict::Valid, "a composite by its name");
        let bad = need(&["workspace:delete"], &["workspace:w2"]);
        assert_eq!(judge(false, &bad, 10), Verdict::Expired(END), "rejected from the expiry on");
        assert_eq!(judge(false, &bad, 9), Verdict::UserSuspended);
        assert_eq!(judge(true, &bad, 9), Verdict::InsufficientScope("workspace:delete".to_owned()));
        for outside in ["workspace:w2", "workspace:*", "template:w1", "workspace:a b"] {
            let need = need(&["workspace:read"], &["workspace:w1", outside]);
            assert_eq!(judge(true, &need, 9), Verdict::ResourceNotAllowed(outside.to_owned()));
        }
        assert_eq!(judge(true, &Need::scope("Read"), 9), Verdict::UnreadableNeed("Read".to_owned()));
    }

    #[test]
    fn a_key_ended_by_hand_is_dead_at_every_time() {
        let (scopes, allow_list) = (Scopes::all(), AllowList::all());
        let grant = Grant { scopes: &scopes, allow_list: &allow_list };
        let facts = Facts { ended: true, ends: 10, expires_at: END, user_is_active: true, locked: None, grant };
        assert_eq!(facts.judge(&Need::nothing(), 0), Verdict::Expired(END));
    }

    #[test]
    fn a_locked_key_is_refused_with_the_message_unless_it_is_dead() {
        let (scopes, allow_list) = (Scopes::all(), AllowList::all());
        let grant = Grant { scopes: &scopes, allow_list: &allow_list };
        let facts =
            Facts { ended: false, ends: 10, expires_at: END, user_is_active: true, locked: Some("call us"), grant };
        assert_eq!(facts.judge(&Need::nothing(), 9), Verdict::Locked("call us".to_owned()));
        assert_eq!(facts.judge(&Need::nothing(), 10), Verdict::Expired(END));
    }
}
