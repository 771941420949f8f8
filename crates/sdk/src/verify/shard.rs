//! A part of what a verifier remembers, behind a lock of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use hashbrown::HashTable;
use keyward_domain::key::Digest;

use super::facts::{Facts, Id};

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

/// What is remembered of a key.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) facts: Facts,
    pub(super) digest: Digest,
    /// Was it used since the hand last came by?
    used: AtomicBool,
}

impl Entry {
    pub(super) fn new(facts: Facts, digest: Digest) -> Self {
        Self { facts, digest, used: AtomicBool::new(false) }
    }

    /// Notes a use. Mostly it is noted already, and the line of memory is not written to.
    pub(super) fn mark_used(&self) {
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
    }
}

/// Entries by the key's id. They lie in the table itself, so that a look-up finds in one place what
/// it compares and what is judged.
#[derive(Debug, Default)]
pub(super) struct Table {
    entries: HashTable<Entry>,
    /// Where the last search for a key to forget stopped.
    hand: usize,
}

impl Table {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    #[inline]
    pub(super) fn get(&self, hash: u64, id: &Id) -> Option<&Entry> {
        self.entries.find(hash, |entry| entry.facts.id == *id)
    }

    /// Puts in an entry whose key is not there.
    pub(super) fn insert(&mut self, hash: u64, entry: Entry, hasher: impl Fn(&Id) -> u64) {
        self.entries.insert_unique(hash, entry, |entry| hasher(&entry.facts.id));
    }

    pub(super) fn remove(&mut self, hash: u64, id: &Id) -> Option<Entry> {
        self.entries.find_entry(hash, |entry| entry.facts.id == *id).ok().map(|entry| entry.remove().0)
    }

    /// Forgets the keys of which this is true. Answers how many there were.
    pub(super) fn forget_where(&mut self, forget: impl Fn(&Facts) -> bool) -> usize {
        let before = self.entries.len();
        self.entries.retain(|entry| !forget(&entry.facts));
        before - self.entries.len()
    }

    /// Forgets a key that was not used since the hand last came by (the "clock" of page
    /// replacement); after some that were, the next at hand.
    pub(super) fn forget_one(&mut self) -> Option<Entry> {
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
