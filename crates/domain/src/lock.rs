//! Locks: rules that refuse or limit the keys they select, without ending them.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::access::Relation;
use crate::clock::Timestamp;
use crate::key::{ApiKey, EndReason, KeyId, KeyKind};
use crate::scope::{Catalogue, Scope, Scopes};
use crate::user::{User, UserId};

/// A lock. It applies to keys that are created later, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Its id.
    pub id: Uuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// The user who made it.
    pub actor: UserId,
    /// The username at the time.
    pub actor_username: String,
    /// Which keys it selects.
    pub selector: LockSelector,
    /// Which selected keys it spares.
    pub spared: Spared,
    /// What it does.
    pub mode: LockMode,
    /// What callers with a locked key are told.
    pub message: String,
    /// Why it was made.
    pub reason: Option<EndReason>,
    /// When it is removed; none if a person removes it.
    pub ends_at: Option<Timestamp>,
}

/// Conditions on keys that can be judged whenever a key is used. All that are set must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockSelector {
    /// The owner.
    pub user: Option<UserId>,
    /// The key's id is one of these.
    pub ids: Option<BTreeSet<KeyId>>,
    /// A scope that the key's scopes grant.
    pub scope: Option<Scope>,
    /// How the name begins, in lower case. The case of letters does not matter.
    pub name_prefix: Option<String>,
}

/// What a lock must not touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spared {
    /// The key with which the lock was made, so that its maker can remove it.
    pub key: KeyId,
    /// Whether the keys of users with the role owner are spared: the maker is none. Their own keys are not.
    pub owners: bool,
    /// The last user who was the only active owner, when the lock was made or since. The sessions of this user
    /// are spared: someone must be able to log in.
    pub sessions_of: Option<UserId>,
}

/// What a lock does to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockMode {
    /// The key is refused.
    Deny,
    /// The key keeps what its scopes share with these.
    Limit(Scopes),
}

impl Lock {
    /// Whether the lock applies to a key of this owner.
    #[must_use]
    pub fn applies_to(&self, key: &ApiKey, owner: &User, catalogue: &Catalogue) -> bool {
        self.selects(key, catalogue) && !self.spares(key, owner)
    }

    /// Whether the lock selects a key, which it may yet spare.
    #[must_use]
    pub fn selects(&self, key: &ApiKey, catalogue: &Catalogue) -> bool {
        let LockSelector { user, ids, scope, name_prefix } = &self.selector;
        let name = |prefix: &String| key.name_text().to_lowercase().starts_with(prefix);
        user.is_none_or(|user| user == key.user_id)
            && ids.as_ref().is_none_or(|ids| ids.contains(&key.id))
            && scope.as_ref().is_none_or(|scope| catalogue.grants(&key.scopes, scope))
            && name_prefix.as_ref().is_none_or(name)
    }

    fn spares(&self, key: &ApiKey, owner: &User) -> bool {
        let Spared { key: spared, owners, sessions_of } = &self.spared;
        key.id == *spared
            || (*owners && Relation::of(self.actor, owner) == Relation::Owner)
            || (key.kind() == KeyKind::Session && *sessions_of == Some(key.user_id))
    }
}

/// What the locks on a key do together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locked {
    /// The message of the first lock that refuses the key.
    pub denied: Option<String>,
    /// The scopes that are left; none if no lock limits them.
    pub scopes: Option<Scopes>,
}

impl Locked {
    /// What those of the locks do that apply to a key of this owner.
    #[must_use]
    pub fn of(locks: &[Lock], key: &ApiKey, owner: &User, catalogue: &Catalogue) -> Self {
        let mut locked = Self::default();
        for lock in locks.iter().filter(|lock| lock.applies_to(key, owner, catalogue)) {
            match &lock.mode {
                LockMode::Deny => {
                    locked.denied.get_or_insert_with(|| lock.message.clone());
                }
                LockMode::Limit(kept) => {
                    let held = locked.scopes.unwrap_or_else(|| catalogue.expand(&key.scopes));
                    locked.scopes = Some(held.shared_with(&catalogue.expand(kept)));
                }
            }
        }
        locked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Lifetime;
    use crate::key::{LoginType, TokenName, tests::key};
    use crate::user::{UserLogin, UserStatus};

    fn owner_of(key: &ApiKey, roles: &[crate::Role]) -> User {
        User {
            id: key.user_id,
            username: "ada".parse().unwrap(),
            name: String::new(),
            email: "ada@example.com".parse().unwrap(),
            login: UserLogin::Password,
            status: UserStatus::Active,
            roles: roles.iter().copied().collect(),
            created_at: Timestamp::EPOCH,
            updated_at: Timestamp::EPOCH,
            last_seen_at: None,
        }
    }

    fn lock(selector: LockSelector, mode: LockMode) -> Lock {
        Lock {
            id: Uuid::nil(),
            created_at: Timestamp::EPOCH,
            actor: UserId::random(),
            actor_username: "owner".to_owned(),
            selector,
            spared: Spared { key: KeyId::from_stored("kwd_none".to_owned()), owners: false, sessions_of: None },
            mode,
            message: "ask the operators".to_owned(),
            reason: None,
            ends_at: None,
        }
    }

    #[test]
    fn a_lock_applies_by_all_its_conditions_and_spares_what_it_must() {
        let catalogue = Catalogue::built_in();
        let mut token = key(LoginType::Token, 0, Lifetime::hours(1));
        token.name = Some(TokenName::from_stored("Deploy-1".to_owned()));
        let owner = owner_of(&token, &[crate::Role::Owner]);
        let applies = |lock: &Lock, key: &ApiKey| lock.applies_to(key, &owner, &catalogue);
        let by_name = LockSelector { name_prefix: Some("deploy".to_owned()), ..LockSelector::default() };
        let other_user = LockSelector { user: Some(UserId::random()), ..by_name.clone() };
        assert!(applies(&lock(by_name.clone(), LockMode::Deny), &token));
        assert!(!applies(&lock(other_user, LockMode::Deny), &token), "all conditions must hold");
        let mut spares = lock(by_name, LockMode::Deny);
        spares.spared.owners = true;
        assert!(!applies(&spares, &token), "an owner's key");
        spares.actor = token.user_id;
        assert!(applies(&spares, &token), "the maker's own key");
        spares.spared.key = token.id.clone();
        assert!(!applies(&spares, &token), "the key that made the lock");
        let session = ApiKey { user_id: token.user_id, ..key(LoginType::Password, 0, Lifetime::hours(1)) };
        let mut everything = lock(LockSelector::default(), LockMode::Deny);
        everything.spared.sessions_of = Some(token.user_id);
        assert!(!applies(&everything, &session) && applies(&everything, &token));
    }

    #[test]
    fn limits_never_widen() {
        let catalogue = Catalogue::built_in();
        let mut token = key(LoginType::Token, 0, Lifetime::hours(1));
        token.scopes = catalogue.parse_scopes(["workspace:*", "template:read"]).unwrap();
        let owner = owner_of(&token, &[]);
        let limit = |scopes: &[&str]| {
            lock(LockSelector::default(), LockMode::Limit(catalogue.parse_scopes(scopes.iter().copied()).unwrap()))
        };
        let left = |locks: &[Lock]| Locked::of(locks, &token, &owner, &catalogue).scopes.unwrap();
        let grants = |held: &Scopes, scope: &str| catalogue.grants(held, &scope.parse().unwrap());
        let read = left(&[limit(&["workspace:read", "file:read"])]);
        assert!(grants(&read, "workspace:read"));
        for lost in ["workspace:update", "workspace:*", "template:read", "file:read", "*:*"] {
            assert!(!grants(&read, lost), "{lost}");
        }
        let all = left(&[limit(&["*:*"])]);
        assert!(grants(&all, "workspace:*") && grants(&all, "template:read") && !grants(&all, "template:use"));
        let none = left(&[limit(&["workspace:read"]), limit(&["template:read"])]);
        assert!(!grants(&none, "workspace:read") && !grants(&none, "template:read"), "two limits share nothing");
    }
}
