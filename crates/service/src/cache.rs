//! Facts of keys, kept in memory: the cache and what it is built on.

mod held;

pub(crate) use held::{Generation, Kept, KeyCache};

/// What the cache synchronises by. The models in `tests/models` take the same source and put
/// primitives in this place whose schedule they control.
mod sync {
    pub(super) use std::sync::atomic::{AtomicI64, Ordering};
    pub(super) use std::sync::{PoisonError, RwLock};
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use keyward_domain::key::Digest;
    use keyward_domain::user::{UserLogin, UserStatus};
    use keyward_domain::{
        AllowList, ApiKey, KeyKind, Lifetime, LoginType, PlainKey, Roles, Scopes, Timestamp, User, UserId,
    };
    use keyward_storage::Changes;
    use keyward_storage::keys::OwnedKey;

    use super::*;

    fn kept() -> (Digest, Arc<Kept>) {
        let plain = PlainKey::generate(KeyKind::Token).unwrap();
        let owner = User {
            id: UserId::random(),
            username: "alice".parse().unwrap(),
            name: String::new(),
            email: "a@example.com".parse().unwrap(),
            login: UserLogin::Password,
            status: UserStatus::Active,
            roles: Roles::default(),
            created_at: Timestamp::EPOCH,
            updated_at: Timestamp::EPOCH,
            last_seen_at: None,
        };
        let key = ApiKey {
            id: plain.id().clone(),
            user_id: owner.id,
            name: None,
            login_type: LoginType::Token,
            scopes: Scopes::all(),
            allow_list: AllowList::all(),
            lifetime: Lifetime::days(1),
            created_at: Timestamp::EPOCH,
            updated_at: Timestamp::EPOCH,
            last_used: None,
            expires_at: Timestamp::MAX,
            ended_at: None,
            slides_until: None,
        };
        (plain.digest(), Arc::new(Kept::new(OwnedKey { key, owner })))
    }

    #[test]
    fn what_is_filled_is_found_until_it_is_forgotten() {
        let cache = KeyCache::new(true);
        let (digest, facts) = kept();
        let generation = cache.get(&digest).unwrap_err();
        cache.fill(generation, &digest, &facts);
        assert!(cache.get(&digest).is_ok());
        cache.evict(&Changes { keys: vec![facts.owned.key.id.clone()], ..Changes::default() });
        let generation = cache.get(&digest).unwrap_err();
        cache.fill(generation, &digest, &facts);
        cache.clear();
        assert!(cache.get(&digest).is_err());
    }

    #[test]
    fn a_reader_that_began_before_a_change_fills_nothing() {
        let cache = KeyCache::new(true);
        let (digest, facts) = kept();
        let before = cache.get(&digest).unwrap_err();
        // The change is of this very key, which is not in the cache yet.
        cache.evict(&Changes { keys: vec![facts.owned.key.id.clone()], ..Changes::default() });
        cache.fill(before, &digest, &facts);
        assert!(cache.get(&digest).is_err());
    }

    #[test]
    fn a_change_of_a_user_drops_their_keys_and_no_others() {
        let cache = KeyCache::new(true);
        let ((one, facts), (other, others)) = (kept(), kept());
        cache.fill(cache.get(&one).unwrap_err(), &one, &facts);
        cache.fill(cache.get(&other).unwrap_err(), &other, &others);
        cache.evict(&Changes { users: vec![facts.owned.owner.id], ..Changes::default() });
        assert!(cache.get(&one).is_err());
        assert!(cache.get(&other).is_ok());
    }

    #[test]
    fn a_cache_that_is_off_keeps_nothing() {
        let cache = KeyCache::new(false);
        let (digest, facts) = kept();
        cache.fill(cache.get(&digest).unwrap_err(), &digest, &facts);
        assert!(cache.get(&digest).is_err());
    }

    #[test]
    fn a_use_is_passed_on_once_a_minute() {
        let (_, facts) = kept();
        let at = |secs: i64| Timestamp::from_micros(secs * 1_000_000).unwrap();
        assert!(facts.note(at(100)));
        assert!(!facts.note(at(159)));
        assert!(facts.note(at(160)));
    }
}
