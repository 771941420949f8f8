//! A shard of the cache, with its own lock.

use std::sync::atomic::{AtomicBool, Ordering};

use hashbrown::HashTable;
use keyward_domain::key::Digest;

use super::order::{Id, Remembered};
use super::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Maximum number of recently used keys that a search for a key to evict skips. It bounds the time of
/// the search.
const CHANCES: usize = 32;

/// A table behind a lock. It is aligned to two cache lines, which processors fetch together, so that
/// readers of one shard do not slow down readers of the next (false sharing).
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Shard<F>(RwLock<Table<F>>);

impl<F> Default for Shard<F> {
    fn default() -> Self {
        Self(RwLock::new(Table::default()))
    }
}

impl<F> Shard<F> {
    #[inline]
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Table<F>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Table<F>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A cached key.
#[derive(Debug)]
pub(super) struct Entry<F> {
    pub(super) facts: F,
    pub(super) digest: Digest,
    /// Whether the key was used since the clock hand last passed it.
    used: AtomicBool,
}

impl<F> Entry<F> {
    pub(super) fn new(facts: F, digest: Digest) -> Self {
        Self { facts, digest, used: AtomicBool::new(false) }
    }

    /// Marks the entry used. It is usually already marked; then the cache line is not written to.
    #[inline]
    pub(super) fn mark_used(&self) {
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
    }
}

/// Entries by key id. They are stored inline, so that a lookup finds the id, the digest and the facts
/// in one place.
#[derive(Debug)]
pub(super) struct Table<F> {
    entries: HashTable<Entry<F>>,
    /// The clock hand: the bucket where the last search for a key to evict stopped.
    hand: usize,
}

impl<F> Default for Table<F> {
    fn default() -> Self {
        Self { entries: HashTable::new(), hand: 0 }
    }
}

impl<F> Table<F> {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

impl<F: Remembered> Table<F> {
    #[inline]
    pub(super) fn get(&self, hash: u64, id: &Id) -> Option<&Entry<F>> {
        self.entries.find(hash, |entry| entry.facts.id() == id)
    }

    /// Inserts an entry for a key that is not in the table.
    pub(super) fn insert(&mut self, hash: u64, entry: Entry<F>, hasher: impl Fn(&Id) -> u64) {
        self.entries.insert_unique(hash, entry, |entry| hasher(entry.facts.id()));
    }

    pub(super) fn remove(&mut self, hash: u64, id: &Id) -> Option<Entry<F>> {
        self.entries.find_entry(hash, |entry| entry.facts.id() == id).ok().map(|entry| entry.remove().0)
    }

    /// Evicts the keys for which `evict` returns true. Returns their number.
    pub(super) fn evict_where(&mut self, evict: impl Fn(&F) -> bool) -> usize {
        let before = self.entries.len();
        self.entries.retain(|entry| !evict(&entry.facts));
        before - self.entries.len()
    }

    /// Evicts one key by the clock algorithm of page replacement: the first key that was not used since
    /// the hand last passed it, or the next key after [`CHANCES`] used ones.
    pub(super) fn evict_one(&mut self) -> Option<Entry<F>> {
        let buckets = self.entries.num_buckets();
        let mut chances = CHANCES;
        // Twice around, because the first pass may find every key used.
        for _ in 0..buckets.saturating_mul(2) {
            self.hand = (self.hand + 1) % buckets;
            let Ok(entry) = self.entries.get_bucket_entry(self.hand) else { continue };
            let used = entry.get().used.swap(false, Ordering::Relaxed);
            if used && chances > 0 {
                chances -= 1;
                continue;
            }
            return Some(entry.remove().0);
        }
        None
    }
}
