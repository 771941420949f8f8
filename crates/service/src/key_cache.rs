//! The cache of keys, so that a key in use needs no database lookup.
//!
//! It caches the key's row and its owner, never a verdict: each use is judged again at its own time.

use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use keyward_domain::key::PresentedKey;
use keyward_domain::lock::{Lock, Locked};
use keyward_domain::{Catalogue, Scopes, Timestamp, UserId};
use keyward_storage::Changes;
use keyward_storage::keys::OwnedKey;
use keyward_verdict::{Changed, Facts, Found, Grant, Id, Mark, Memory, Need, Remembered, Verdict};

/// Maximum number of cached keys. A key takes about 2 KiB.
const MOST_KEYS: usize = 50_000;

/// A cached key and its owner.
#[derive(Debug)]
pub(crate) struct CachedKey {
    id: Id,
    pub owned: OwnedKey,
    /// The key's scopes with the parts of its composites, as far as no lock takes them.
    pub grants: Scopes,
    /// What the locks on the key do.
    pub locked: Locked,
    /// When a use was last recorded, in microseconds since 1970; `i64::MIN` if never.
    recorded: AtomicI64,
    /// The facts as JSON, set when they are first shown.
    pub shown: OnceLock<Bytes>,
}

impl CachedKey {
    /// The facts of a presented key, from its row and the locks. If locks limit its scopes, `owned` has
    /// only those that are left.
    pub(crate) fn new(owned: OwnedKey, locks: &[Lock], catalogue: &Catalogue) -> Self {
        let locked = Locked::of(locks, &owned.key, &owned.owner, catalogue);
        let mut owned = owned;
        if let Some(left) = &locked.scopes {
            owned.key.scopes = left.clone();
        }
        Self {
            // A presented key has a valid id, so the default is never used.
            id: keyward_verdict::id(owned.key.id.as_str()).unwrap_or_default(),
            grants: catalogue.expand(&owned.key.scopes),
            locked,
            owned,
            recorded: AtomicI64::new(i64::MIN),
            shown: OnceLock::new(),
        }
    }

    /// The facts of the same key from its current row. The grants and the locks stay the same, because
    /// they were checked when the request was authenticated.
    pub(crate) fn renewed(&self, owned: OwnedKey) -> Self {
        let mut owned = owned;
        if let Some(left) = &self.locked.scopes {
            owned.key.scopes = left.clone();
        }
        Self {
            id: self.id,
            owned,
            grants: self.grants.clone(),
            locked: self.locked.clone(),
            recorded: AtomicI64::new(i64::MIN),
            shown: OnceLock::new(),
        }
    }

    /// Judges a use at `now`.
    pub(crate) fn verdict(&self, need: &Need, now: Timestamp) -> Verdict {
        let OwnedKey { key, owner } = &self.owned;
        let facts = Facts {
            ended: key.ended_at.is_some(),
            ends: key.expires_at,
            expires_at: key.expires_at,
            user_is_active: owner.is_active(),
            locked: self.locked.denied.as_deref(),
            grant: Grant { scopes: &self.grants, allow_list: &key.allow_list },
        };
        facts.judge(need, now)
    }

    /// Whether to record a use at `now`. If so, marks it recorded.
    pub(crate) fn should_record_use(&self, now: Timestamp) -> bool {
        let recorded = self.recorded.load(Ordering::Relaxed);
        let due = match Timestamp::from_micros(recorded) {
            Some(recorded) => self.owned.key.should_record_use_since(recorded, now),
            None => self.owned.key.should_record_use(now),
        };
        due && self.recorded.compare_exchange(recorded, now.as_micros(), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// A cached key, as the memory stores it and lookups return it.
#[derive(Clone, Debug)]
struct Shared(Arc<CachedKey>);

impl Remembered for Shared {
    fn id(&self) -> &Id {
        &self.0.id
    }

    fn user(&self) -> UserId {
        self.0.owned.owner.id
    }
}

/// The cache of keys. It is off if other servers may change the same database.
#[derive(Debug)]
pub(crate) struct KeyCache {
    memory: Option<Memory<Shared>>,
}

/// The result of looking up a presented key in the cache.
#[derive(Debug)]
pub(crate) enum Cached {
    /// The key is cached.
    Key(Arc<CachedKey>),
    /// The key is invalid: the cached key with this id has another secret.
    WrongSecret,
    /// The key is not cached. Facts that are read from now on may be cached with this mark.
    Nothing(Option<Mark>),
}

impl KeyCache {
    pub(crate) fn new(on: bool) -> Self {
        Self { memory: on.then(|| Memory::numbered_here(MOST_KEYS)) }
    }

    pub(crate) fn get(&self, presented: &PresentedKey) -> Cached {
        let Some(memory) = &self.memory else { return Cached::Nothing(None) };
        let Some(id) = keyward_verdict::id(presented.id.as_str()) else { return Cached::Nothing(None) };
        match memory.get(&id, || presented.digest) {
            Found::Facts(Shared(key)) => Cached::Key(key),
            Found::WrongSecret => Cached::WrongSecret,
            Found::Nothing => Cached::Nothing(memory.mark()),
        }
    }

    /// The number of cached keys.
    pub(crate) fn len(&self) -> usize {
        self.memory.as_ref().map_or(0, Memory::len)
    }

    /// Caches facts that were read after `mark`, unless a change was applied since.
    pub(crate) fn keep(&self, mark: Option<Mark>, presented: &PresentedKey, key: &Arc<CachedKey>) {
        if let (Some(memory), Some(mark)) = (&self.memory, mark) {
            memory.keep(mark, presented.digest, Shared(Arc::clone(key)));
        }
    }

    /// Evicts what a transaction changed. Facts that were read before the change can no longer be
    /// cached.
    pub(crate) fn evict(&self, changes: &Changes) {
        // An invalid id was written by hand and is never cached.
        if changes.everything {
            return self.clear();
        }
        let keys = changes.keys.iter().filter_map(|id| keyward_verdict::id(id.as_str())).collect();
        let users: HashSet<UserId> = changes.users.iter().copied().collect();
        self.apply(&Changed::Named { keys, users });
    }

    /// Evicts everything. Facts that were read before can no longer be cached.
    pub(crate) fn clear(&self) {
        self.apply(&Changed::Everything);
    }

    fn apply(&self, changed: &Changed) {
        if let Some(memory) = &self.memory {
            drop(memory.apply_next(changed));
        }
    }
}

#[cfg(test)]
mod tests {
    use keyward_domain::user::{UserLogin, UserStatus};
    use keyward_domain::{AllowList, ApiKey, KeyKind, Lifetime, LoginType, PlainKey, Roles, User};

    use super::*;

    fn key() -> (PresentedKey, Arc<CachedKey>) {
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
            end_reason: None,
            end_note: None,
            slides_until: None,
            last_used_ip: None,
            minted_by: None,
        };
        let presented = PresentedKey::parse(plain.expose()).unwrap();
        (presented, Arc::new(CachedKey::new(OwnedKey { key, owner }, &[], &Catalogue::built_in())))
    }

    fn fill(cache: &KeyCache, presented: &PresentedKey, key: &Arc<CachedKey>) {
        if let Cached::Nothing(mark) = cache.get(presented) {
            cache.keep(mark, presented, key);
        }
    }

    fn has(cache: &KeyCache, presented: &PresentedKey) -> bool {
        matches!(cache.get(presented), Cached::Key(_))
    }

    #[test]
    fn a_key_is_found_until_it_or_its_user_changes() {
        let cache = KeyCache::new(true);
        let ((one, facts), (other, others)) = (key(), key());
        fill(&cache, &one, &facts);
        fill(&cache, &other, &others);
        cache.evict(&Changes { keys: vec![facts.owned.key.id.clone()], ..Changes::default() });
        assert!(!has(&cache, &one) && has(&cache, &other));
        fill(&cache, &one, &facts);
        cache.evict(&Changes { users: vec![facts.owned.owner.id], ..Changes::default() });
        assert!(!has(&cache, &one) && has(&cache, &other));
        cache.clear();
        assert!(!has(&cache, &other));
    }

    #[test]
    fn a_cache_that_is_off_keeps_nothing() {
        let cache = KeyCache::new(false);
        let (presented, facts) = key();
        fill(&cache, &presented, &facts);
        assert!(!has(&cache, &presented));
    }

    #[test]
    fn a_use_is_recorded_once_a_minute() {
        let (_, facts) = key();
        let at = |secs: i64| Timestamp::from_micros(secs * 1_000_000).unwrap();
        assert!(facts.should_record_use(at(100)));
        assert!(!facts.should_record_use(at(159)));
        assert!(facts.should_record_use(at(160)));
    }
}
