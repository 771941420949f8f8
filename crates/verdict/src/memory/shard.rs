//! A part of a memory, behind a lock of its own.

use std::sync::atomic::{AtomicBool, Ordering};

use hashbrown::HashTable;
use keyward_domain::key::Digest;

use super::order::{Id, Remembered};
use super::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// How many keys in use are passed over in search of one to forget. A bound, so that no search for
/// room is long.
const CHANCES: usize = 32;

/// A table behind a lock. Alone on its two lines of memory, which processors fetch together: else
/// readers of one shard would wait for those of the next.
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

/// What is remembered of a key.
#[derive(Debug)]
pub(super) struct Entry<F> {
    pub(super) facts: F,
    pub(super) digest: Digest,
    /// Whether it was used since the hand last came by.
    used: AtomicBool,
}

impl<F> Entry<F> {
    pub(super) fn new(facts: F, digest: Digest) -> Self {
        Self { facts, digest, used: AtomicBool::new(false) }
    }

    /// Marks it used. Mostly it is marked already, and the cache line is not written to.
    #[inline]
    pub(super) fn mark_used(&self) {
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
    }
}

/// Entries by the key's id. They lie in the table itself, so that a look-up finds in one place what
/// it compares and what is judged.
#[derive(Debug)]
pub(super) struct Table<F> {
    entries: HashTable<Entry<F>>,
    /// Where the last search for a key to forget stopped.
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

    /// Puts in an entry whose key is not there.
    pub(super) fn insert(&mut self, hash: u64, entry: Entry<F>, hasher: impl Fn(&Id) -> u64) {
        self.entries.insert_unique(hash, entry, |entry| hasher(entry.facts.id()));
    }

    pub(super) fn remove(&mut self, hash: u64, id: &Id) -> Option<Entry<F>> {
        self.entries.find_entry(hash, |entry| entry.facts.id() == id).ok().map(|entry| entry.remove().0)
    }

    /// Forgets the keys for which `forget` is true. Answers how many there were.
    pub(super) fn forget_where(&mut self, forget: impl Fn(&F) -> bool) -> usize {
        let before = self.entries.len();
        self.entries.retain(|entry| !forget(&entry.facts));
        before - self.entries.len()
    }

    /// Forgets a key that was not used since the hand last came by (the "clock" of page
    /// replacement); after some that were, the next at hand.
    pub(super) fn forget_one(&mut self) -> Option<Entry<F>> {
        let buckets = self.entries.num_buckets();
        let mut chances = CHANCES;
        // Twice around: the first time may find every key used.
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
