//! Facts of keys, kept in memory so that a key in use costs no look-up.
//!
//! What is kept is the row and its owner, never a verdict: whether a key is good is judged at each
//! use, by the clock. An entry stands under the digest of the whole key, so that only who holds the
//! secret finds it, and nothing is kept for keys that do not exist: a flood of guesses pushes
//! nothing out.
//!
//! **Invariant:** what is filled in was read after the last change. A reader takes the generation
//! before it reads the database, and fills only if no change has moved it since; a change moves it
//! and drops its entries before it is acknowledged.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use keyward_domain::key::Digest;
use keyward_domain::{KeyId, Timestamp, UserId};
use keyward_storage::Changes;
use keyward_storage::keys::OwnedKey;

use super::sync::{AtomicI64, Ordering, PoisonError, RwLock};

/// How many keys are kept. A key takes about two kibibytes.
const MOST_KEYS: usize = 50_000;

/// A key's facts.
#[derive(Debug)]
pub(crate) struct Kept {
    pub owned: OwnedKey,
    /// When a use was last passed on to be written, in microseconds.
    noted: AtomicI64,
    /// The facts in words, once somebody has shown them.
    pub shown: OnceLock<Bytes>,
}

impl Kept {
    pub(crate) fn new(owned: OwnedKey) -> Self {
        Self { owned, noted: AtomicI64::new(i64::MIN), shown: OnceLock::new() }
    }

    /// Whether to record a use at `now`. If so, marks it recorded.
    pub(crate) fn note(&self, now: Timestamp) -> bool {
        let noted = self.noted.load(Ordering::Relaxed);
        let news = match Timestamp::from_micros(noted) {
            Some(noted) => self.owned.key.should_record_use_since(noted, now),
            None => self.owned.key.should_record_use(now),
        };
        news && self.noted.compare_exchange(noted, now.as_micros(), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// The cache. Off where other servers change the same database.
#[derive(Debug)]
pub(crate) struct KeyCache {
    state: Option<RwLock<State>>,
}

#[derive(Debug, Default)]
struct State {
    generation: u64,
    by_digest: HashMap<[u8; 32], Arc<Kept>, BuildHasherDefault<DigestHasher>>,
    by_id: HashMap<KeyId, [u8; 32]>,
}

/// A moment in the cache's life, taken before the database is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Generation(u64);

impl KeyCache {
    pub(crate) fn new(on: bool) -> Self {
        Self { state: on.then(RwLock::default) }
    }

    /// The facts under this digest, or the moment from which to read them.
    pub(crate) fn get(&self, digest: &Digest) -> Result<Arc<Kept>, Generation> {
        let Some(state) = &self.state else { return Err(Generation(0)) };
        let state = state.read().unwrap_or_else(PoisonError::into_inner);
        state.by_digest.get(digest.as_bytes()).cloned().ok_or(Generation(state.generation))
    }

    /// Keeps facts that were read since `generation`, unless something has changed since.
    pub(crate) fn fill(&self, generation: Generation, digest: &Digest, kept: &Arc<Kept>) {
        let Some(state) = &self.state else { return };
        let mut state = state.write().unwrap_or_else(PoisonError::into_inner);
        if state.generation != generation.0 {
            return;
        }
        if state.by_digest.len() >= MOST_KEYS {
            // Any one will do: a map's first entry is as good as drawn by lot.
            if let Some(victim) = state.by_id.keys().next().cloned() {
                state.drop_key(&victim);
            }
        }
        state.by_id.insert(kept.owned.key.id.clone(), *digest.as_bytes());
        state.by_digest.insert(*digest.as_bytes(), Arc::clone(kept));
    }

    /// Drops what a transaction changed, and keeps readers that began before it from filling.
    pub(crate) fn evict(&self, changes: &Changes) {
        let Some(state) = &self.state else { return };
        let mut state = state.write().unwrap_or_else(PoisonError::into_inner);
        state.generation += 1;
        for id in &changes.keys {
            state.drop_key(id);
        }
        if !changes.users.is_empty() {
            state.drop_keys_of(&changes.users);
        }
    }

    /// Drops everything, and keeps readers that began before from filling.
    pub(crate) fn clear(&self) {
        let Some(state) = &self.state else { return };
        let mut state = state.write().unwrap_or_else(PoisonError::into_inner);
        state.generation += 1;
        state.by_digest.clear();
        state.by_id.clear();
    }
}

impl State {
    fn drop_key(&mut self, id: &KeyId) {
        if let Some(digest) = self.by_id.remove(id) {
            self.by_digest.remove(&digest);
        }
    }

    /// A change of a user is seldom: it may look at every key.
    fn drop_keys_of(&mut self, users: &[UserId]) {
        let by_id = &mut self.by_id;
        self.by_digest.retain(|_, kept| {
            let key = &kept.owned.key;
            let drop = users.contains(&key.user_id);
            if drop {
                by_id.remove(&key.id);
            }
            !drop
        });
    }
}

/// Digests are spread evenly already: their first eight bytes are the hash.
#[derive(Debug, Default)]
struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk::<8>() {
            self.0 ^= u64::from_le_bytes(*first);
        }
    }

    /// The length that arrays put first is the same for all.
    fn write_usize(&mut self, _: usize) {}
}
