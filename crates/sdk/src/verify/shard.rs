//! A part of what a verifier remembers, behind a lock of its own.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use hashbrown::HashTable;
use keyward_domain::KeyId;

use super::facts::Facts;

/// How many keys in use are passed over in search of one to forget. A bound, so that no look for
/// room is long.
const CHANCES: usize = 32;

/// A table behind a lock. Alone on its two lines of memory, which processors fetch together: else
/// readers of one shard would wait for those of the next.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Shard(RwLock<Table>);

impl Shard {
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Facts by the key's id. Holds pointers only, so that a million keys take few megabytes here and
/// one look-up touches few lines of memory.
#[derive(Debug, Default)]
pub(super) struct Table {
    facts: HashTable<Arc<Facts>>,
    /// Where the last search for a key to forget stopped.
    hand: usize,
}

impl Table {
    pub(super) fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }

    #[inline]
    pub(super) fn get(&self, hash: u64, id: &KeyId) -> Option<&Arc<Facts>> {
        self.facts.find(hash, |facts| facts.id == *id)
    }

    /// Puts facts in whose key is not there.
    pub(super) fn insert(&mut self, hash: u64, facts: Arc<Facts>, hasher: impl Fn(&Arc<Facts>) -> u64) {
        self.facts.insert_unique(hash, facts, hasher);
    }

    pub(super) fn remove(&mut self, hash: u64, id: &KeyId) -> Option<Arc<Facts>> {
        self.facts.find_entry(hash, |facts| facts.id == *id).ok().map(|entry| entry.remove().0)
    }

    /// Forgets a key that was not used since the hand last came by (the "clock" of page
    /// replacement); after some that were, the next at hand.
    pub(super) fn forget_one(&mut self) -> Option<Arc<Facts>> {
        let buckets = self.facts.num_buckets();
        let mut chances = CHANCES;
        // Twice around: the first time may find every key used.
        for _ in 0..buckets.saturating_mul(2) {
            self.hand = (self.hand + 1) % buckets;
            let Ok(entry) = self.facts.get_bucket_entry(self.hand) else { continue };
            let used = entry.get().used.swap(false, std::sync::atomic::Ordering::Relaxed);
            if used && chances > 0 {
                chances -= 1;
                continue;
            }
            return Some(entry.remove().0);
        }
        None
    }
}
