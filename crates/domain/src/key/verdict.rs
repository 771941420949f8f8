//! What a presented key is good for: the one judgement that the server and embedded verifiers make.

use std::fmt;
use std::str::FromStr;

use super::ApiKey;
use crate::allow_list::{Entry, InvalidAllowList};
use crate::clock::Timestamp;
use crate::scope::{Catalogue, Scope};

/// What a use of a key needs: every scope, and the key's allow list to cover every thing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// All of them are needed.
    pub scopes: Vec<Scope>,
    /// All of them must be covered.
    pub resources: Vec<Resource>,
}

/// A thing that a key is used on: `type:id`, or `type:*` for all of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource(Entry);

impl Resource {
    pub(crate) fn entry(&self) -> &Entry {
        &self.0
    }

    /// Its type.
    #[must_use]
    pub fn kind(&self) -> &str {
        match &self.0 {
            Entry::Everything => "*",
            Entry::AllOf(kind) | Entry::One(kind, _) => kind,
        }
    }
}

impl FromStr for Resource {
    type Err = InvalidAllowList;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match Entry::from_str(text)? {
            Entry::Everything => Err(InvalidAllowList::Entry(text.to_owned())),
            entry => Ok(Self(entry)),
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The judgement on a key whose secret was right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is good for what is needed.
    Valid,
    /// It was over at this instant.
    Expired(Timestamp),
    /// Its user is suspended.
    UserSuspended,
    /// It lacks this scope.
    InsufficientScope(Scope),
    /// Its allow list does not cover this.
    ResourceNotAllowed(Resource),
}

impl ApiKey {
    /// Judges the key at `now`: its end, its user, its scopes, its allow list, in this order.
    #[must_use]
    pub fn judge(&self, user_is_active: bool, need: &Need, catalogue: &Catalogue, now: Timestamp) -> Verdict {
        if self.is_dead(now) {
            return Verdict::Expired(self.expires_at);
        }
        if !user_is_active {
            return Verdict::UserSuspended;
        }
        if let Some(missing) = need.scopes.iter().find(|scope| !catalogue.grants(&self.scopes, scope)) {
            return Verdict::InsufficientScope(missing.clone());
        }
        match need.resources.iter().find(|resource| !self.allow_list.permits_resource(resource)) {
            Some(outside) => Verdict::ResourceNotAllowed(outside.clone()),
            None => Verdict::Valid,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allow_list::AllowList;
    use crate::key::{KeyKind, LoginType, PlainKey};
    use crate::lifetime::Lifetime;
    use crate::user::UserId;

    #[test]
    fn a_key_is_judged_by_end_user_scope_and_resource_in_this_order() {
        let catalogue = Catalogue::built_in();
        let now = Timestamp::EPOCH;
        let end = now.checked_add(Lifetime::hours(1)).unwrap();
        let key = ApiKey {
            id: PlainKey::generate(KeyKind::Token).unwrap().id().clone(),
            user_id: UserId::random(),
            name: None,
            login_type: LoginType::Token,
            scopes: catalogue.parse_scopes(["workspace:read", "coder:workspaces.access"]).unwrap(),
            allow_list: AllowList::parse(["workspace:w1"], &catalogue).unwrap(),
            lifetime: Lifetime::hours(1),
            created_at: now,
            updated_at: now,
            last_used: None,
            expires_at: end,
            ended_at: None,
            slides_until: None,
        };
        let need = |scopes: &[&str], resources: &[&str]| Need {
            scopes: scopes.iter().map(|scope| scope.parse().unwrap()).collect(),
            resources: resources.iter().map(|resource| resource.parse().unwrap()).collect(),
        };
        let judge = |active, need: &Need, now| key.judge(active, need, &catalogue, now);
        let good = need(&["workspace:read", "workspace:ssh"], &["workspace:w1"]);
        assert_eq!(judge(true, &good, now), Verdict::Valid);
        assert_eq!(judge(true, &Need::default(), now), Verdict::Valid);
        let far = need(&["workspace:delete"], &["workspace:w2"]);
        assert_eq!(judge(false, &far, end), Verdict::Expired(end));
        assert_eq!(judge(false, &far, now), Verdict::UserSuspended);
        assert!(
            matches!(judge(true, &far, now), Verdict::InsufficientScope(scope) if scope.to_string() == "workspace:delete")
        );
        for outside in ["workspace:w2", "workspace:*", "template:w1"] {
            let need = need(&["workspace:read"], &["workspace:w1", outside]);
            assert!(
                matches!(judge(true, &need, now), Verdict::ResourceNotAllowed(found) if found.to_string() == outside)
            );
        }
    }

    #[test]
    fn what_is_no_thing_is_refused() {
        for text in ["", "workspace", "*:*", "workspace:a b", ":x"] {
            assert!(text.parse::<Resource>().is_err(), "{text}");
        }
    }
}
