//! The cache of facts, and the order of changes and inserts.
//!
//! Facts are stored in shards by key id. Each shard has its own lock, so that concurrent readers do
//! not all write to the cache line of one lock. One more lock, `applied`, orders changes and inserts:
//! a change holds it for writing while it evicts from all shards, and an insert holds it for reading.
//! Lookups never take it.
//!
//! **Invariant:** facts are inserted only if no change was applied that they may not include. An
//! insert either sees the new [`Mark`] and does nothing, or finishes before the change is applied, so
//! that the change evicts what it inserted.
//!
//! **Invariant:** a lookup finds an entry only with the right secret, and only existing keys have
//! entries: guessed keys evict nothing.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::atomic::{AtomicUsize, Ordering};

use hashbrown::DefaultHashBuilder;
use keyward_domain::key::Digest;
use keyward_domain::{KeyId, UserId};
use uuid::Uuid;

use super::shard::{Entry, Shard, Table};
use super::sync::{PoisonError, RwLock};

/// Maximum number of shards: enough that threads rarely contend for a lock.
pub(super) const MOST_SHARDS: usize = 96;

/// A key's id, stored inline so that a comparison follows no pointer.
pub type Id = [u8; KeyId::LENGTH];

/// Converts a text to an id; none if its length is not that of an id.
#[must_use]
pub fn id(text: &str) -> Option<Id> {
    text.as_bytes().try_into().ok()
}

/// Facts that can be cached. Each lookup returns a clone, so cloning should be cheap.
pub trait Remembered: Clone {
    /// The key's id.
    fn id(&self) -> &Id;

    /// The key's owner.
    fn user(&self) -> UserId;
}

/// A position in the order of changes. Facts carry the mark of the last change before they were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The start of the server that numbers the changes. Marks of different sources are not comparable.
    pub source: Uuid,
    /// The number of the last change.
    pub change: u64,
}

/// The keys that a change affects.
#[derive(Clone, Debug)]
pub enum Changed {
    /// Possibly all keys.
    Everything,
    /// The given keys, and all keys of the given users.
    Named {
        /// The ids of the keys.
        keys: Vec<Id>,
        /// The ids of the users.
        users: HashSet<UserId>,
    },
}

/// The result of a lookup.
#[derive(Clone, Debug)]
pub enum Found<F> {
    /// The key is not cached.
    Nothing,
    /// The cached key with this id has another secret. A key's secret never changes, so the presented
    /// secret stays wrong.
    WrongSecret,
    /// The key's facts.
    Facts(F),
}

/// Evicted facts. Freeing a million of them takes time, so drop this where no request waits.
#[derive(Debug)]
pub struct Forgotten<F>(Vec<Table<F>>);

impl<F> Forgotten<F> {
    /// Whether there is nothing to free.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A cache of facts by key id, shared between threads.
#[derive(Debug)]
pub struct Memory<F> {
    most_keys: usize,
    hasher: DefaultHashBuilder,
    pub(super) shards: Box<[Shard<F>]>,
    /// The number of keys in all shards.
    kept: AtomicUsize,
    /// The last applied change; none until the source of the changes is known.
    applied: RwLock<Option<Mark>>,
}

impl<F: Remembered> Memory<F> {
    /// A cache for at most `most_keys` keys. It stores nothing until a change is applied.
    #[must_use]
    pub fn new(most_keys: usize) -> Self {
        Self {
            most_keys,
            hasher: DefaultHashBuilder::default(),
            shards: (0..shards_for(most_keys)).map(|_| Shard::default()).collect(),
            kept: AtomicUsize::new(0),
            applied: RwLock::new(None),
        }
    }

    /// A cache for at most `most_keys` keys, for a process that numbers the changes itself, from 0; see
    /// [`Memory::apply_next`].
    #[must_use]
    pub fn numbered_here(most_keys: usize) -> Self {
        let memory = Self::new(most_keys);
        *memory.applied.write().unwrap_or_else(PoisonError::into_inner) = Some(Mark { source: Uuid::nil(), change: 0 });
        memory
    }

    /// Looks up the facts of a key by id, if `digest` returns the digest of its secret.
    ///
    /// `digest` is called after the lookup has started to load the entry. With many keys the entry comes
    /// from main memory, and the processor computes the digest meanwhile.
    #[inline]
    pub fn get(&self, id: &Id, digest: impl FnOnce() -> Digest) -> Found<F> {
        let hash = self.hash(id);
        let Some(shard) = self.shard(hash) else { return Found::Nothing };
        let table = shard.read();
        match table.get(hash, id) {
            None => Found::Nothing,
            // In constant time, so that the duration reveals nothing about the stored digest.
            Some(entry) if entry.digest.matches(&digest()) => {
                entry.mark_used();
                Found::Facts(entry.facts.clone())
            }
            Some(_) => Found::WrongSecret,
        }
    }

    /// The last applied change. Facts that are read after this call carry this mark.
    pub fn mark(&self) -> Option<Mark> {
        *self.applied.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of cached keys.
    pub fn len(&self) -> usize {
        self.kept.load(Ordering::Relaxed)
    }

    /// Whether no key is cached.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Applies a change that another process numbered, so that `mark` becomes the last applied change.
    /// Evicts the affected keys; or all keys if `mark` does not continue the last one, because another
    /// source numbers the changes or the numbers start again.
    pub fn apply(&self, mark: Mark, changed: &Changed) -> Forgotten<F> {
        let mut applied = self.applied.write().unwrap_or_else(PoisonError::into_inner);
        let continues = applied.is_some_and(|last| last.source == mark.source && last.change <= mark.change);
        let evicted = self.evict(if continues { changed } else { &Changed::Everything });
        *applied = Some(mark);
        evicted
    }

    /// Numbers and applies a change that this process made, and evicts the affected keys. After it
    /// returns, facts that were read before the change are not inserted.
    pub fn apply_next(&self, changed: &Changed) -> Forgotten<F> {
        let mut applied = self.applied.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = applied.as_mut() {
            last.change += 1;
        }
        self.evict(changed)
    }

    /// Inserts facts that were read after the mark `read`, unless a change was applied since that mark.
    pub fn keep(&self, read: Mark, digest: Digest, facts: F) {
        let applied = self.applied.read().unwrap_or_else(PoisonError::into_inner);
        let current = applied.is_some_and(|last| last.source == read.source && last.change <= read.change);
        let hash = self.hash(facts.id());
        let Some(shard) = self.shard(hash).filter(|_| current && self.most_keys > 0) else { return };
        let mut table = shard.write();
        // Another thread may just have inserted facts of the same key. Both are current.
        let known = table.remove(hash, facts.id()).is_some();
        // If the cache is full, one key of this shard is evicted. If the shard is empty, the cache
        // exceeds its maximum by one key.
        let full = !known && self.kept.load(Ordering::Relaxed) >= self.most_keys;
        let victim = full.then(|| table.evict_one()).flatten();
        table.insert(hash, Entry::new(facts, digest), |id| self.hash(id));
        if !known && victim.is_none() {
            self.kept.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Evicts the affected keys. The caller holds `applied` for writing.
    fn evict(&self, changed: &Changed) -> Forgotten<F> {
        match changed {
            Changed::Everything => {
                let tables = self.shards.iter().map(|shard| std::mem::take(&mut *shard.write()));
                let tables: Vec<Table<F>> = tables.filter(|table| !table.is_empty()).collect();
                self.kept.store(0, Ordering::Relaxed);
                Forgotten(tables)
            }
            Changed::Named { keys, users } => {
                for id in keys {
                    let hash = self.hash(id);
                    let evicted = self.shard(hash).and_then(|shard| shard.write().remove(hash, id));
                    self.kept.fetch_sub(usize::from(evicted.is_some()), Ordering::Relaxed);
                }
                // Changes of users are rare, so scanning every key is acceptable.
                if !users.is_empty() {
                    for shard in &self.shards {
                        let evicted = shard.write().evict_where(|facts| users.contains(&facts.user()));
                        self.kept.fetch_sub(evicted, Ordering::Relaxed);
                    }
                }
                Forgotten(Vec::new())
            }
        }
    }

    /// The hash of an id. The seed is random for each process, so that nobody can create colliding ids.
    #[inline]
    fn hash(&self, id: &Id) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(id);
        hasher.finish()
    }

    /// The shard of a hash, from bits that the tables do not use: they use the lowest and highest bits.
    #[inline]
    fn shard(&self, hash: u64) -> Option<&Shard<F>> {
        let bits = (hash >> 16) & u64::from(u32::MAX);
        // Multiply and shift, without a division: maps a number below 2^32 to an index of a shard.
        self.shards.get(((bits * self.shards.len() as u64) >> 32) as usize)
    }
}

/// The number of shards for `most_keys` keys. A large cache has at least half of [`MOST_SHARDS`], and
/// the number is chosen so that the tables are four fifths full when the cache is full. A table
/// doubles when it grows and is then half empty; its entries are further apart and slower to find.
pub(super) fn shards_for(most_keys: usize) -> usize {
    let mut buckets: usize = 16;
    while most_keys / (buckets / 5 * 4) >= MOST_SHARDS {
        buckets *= 2;
    }
    (most_keys / (buckets / 5 * 4)).max(1)
}
