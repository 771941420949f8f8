//! The memory, and its rule of order.
//!
//! Facts lie in shards, by the key's id, each behind a lock of its own, so that many threads read
//! without all of them writing to one lock's cache line. What changes them is ordered by one more
//! lock, `applied`, which a look-up never touches: changes are applied while it is held for writing,
//! over all shards, and facts are kept while it is held for reading.
//!
//! **Invariant:** facts are kept only if no change was applied that they may not know of. A keeper
//! either sees the new [`Mark`] and keeps nothing, or has finished before the change is applied,
//! which then finds what it kept.
//!
//! **Invariant:** an entry is found only by whoever holds the secret, and only keys that exist have
//! one: guesses push nothing out.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::atomic::{AtomicUsize, Ordering};

use hashbrown::DefaultHashBuilder;
use keyward_domain::key::Digest;
use keyward_domain::{KeyId, UserId};
use uuid::Uuid;

use super::shard::{Entry, Shard, Table};
use super::sync::{PoisonError, RwLock};

/// Enough that threads seldom meet.
pub(super) const MOST_SHARDS: usize = 96;

/// A key's id, in place: comparing two needs no look elsewhere.
pub type Id = [u8; KeyId::LENGTH];

/// The id that a text is; none if it has another length, as no key's has.
#[must_use]
pub fn id(text: &str) -> Option<Id> {
    text.as_bytes().try_into().ok()
}

/// Facts that can be remembered. A clone is handed out at each look-up, so it should be cheap.
pub trait Remembered: Clone {
    /// The key's id.
    fn id(&self) -> &Id;

    /// The key's user.
    fn user(&self) -> UserId;
}

/// A place in the order of changes. Facts bear the mark of the last change before they were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Who numbers the changes, since when: marks of two sources cannot be compared.
    pub source: Uuid,
    /// The number of the last change.
    pub change: u64,
}

/// What a change concerns.
#[derive(Clone, Debug)]
pub enum Changed {
    /// Perhaps everything.
    Everything,
    /// These keys, and all keys of these users.
    Named {
        /// Keys.
        keys: Vec<Id>,
        /// Users.
        users: HashSet<UserId>,
    },
}

/// What a look-up finds.
#[derive(Clone, Debug)]
pub enum Found<F> {
    /// Nothing.
    Nothing,
    /// That the key of this id has another secret. A key's secret never changes, so one that is wrong
    /// stays wrong.
    WrongSecret,
    /// The facts.
    Facts(F),
}

/// Facts that were forgotten. To free a million of them takes a while: drop it where nobody waits.
#[derive(Debug)]
pub struct Forgotten<F>(Vec<Table<F>>);

impl<F> Forgotten<F> {
    /// Whether there is nothing to free.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Facts of keys, by their ids. Shared between threads.
#[derive(Debug)]
pub struct Memory<F> {
    most_keys: usize,
    hasher: DefaultHashBuilder,
    pub(super) shards: Box<[Shard<F>]>,
    /// How many keys all shards hold.
    kept: AtomicUsize,
    /// The last change that was applied; none until it is known who numbers them.
    applied: RwLock<Option<Mark>>,
}

impl<F: Remembered> Memory<F> {
    /// A memory for at most so many keys, which keeps nothing until a change was applied to it.
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

    /// A memory for at most so many keys, whose changes this process numbers itself, from 0: see
    /// [`Memory::apply_next`].
    #[must_use]
    pub fn numbered_here(most_keys: usize) -> Self {
        let memory = Self::new(most_keys);
        *memory.applied.write().unwrap_or_else(PoisonError::into_inner) = Some(Mark { source: Uuid::nil(), change: 0 });
        memory
    }

    /// The facts of the key of this id, if `digest` is that of its secret.
    ///
    /// The digest is asked for after the look-up has begun, and before anything of it is awaited:
    /// with many keys the facts come from main memory, and meanwhile the processor has something to
    /// do.
    #[inline]
    pub fn get(&self, id: &Id, digest: impl FnOnce() -> Digest) -> Found<F> {
        let hash = self.hash(id);
        let Some(shard) = self.shard(hash) else { return Found::Nothing };
        let table = shard.read();
        match table.get(hash, id) {
            None => Found::Nothing,
            // In constant time: how long it takes says nothing of the digest that is remembered.
            Some(entry) if entry.digest.matches(&digest()) => {
                entry.mark_used();
                Found::Facts(entry.facts.clone())
            }
            Some(_) => Found::WrongSecret,
        }
    }

    /// The last change that was applied. Facts that are read after this was asked bear this mark.
    pub fn mark(&self) -> Option<Mark> {
        *self.applied.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many keys are remembered.
    pub fn len(&self) -> usize {
        self.kept.load(Ordering::Relaxed)
    }

    /// Whether no key is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets what a change concerns, of which somebody else told: after it, `mark` is the last that
    /// was applied. If the changes in between are not known, because another source numbers them or
    /// has begun anew, everything is forgotten.
    pub fn apply(&self, mark: Mark, changed: &Changed) -> Forgotten<F> {
        let mut applied = self.applied.write().unwrap_or_else(PoisonError::into_inner);
        let continues = applied.is_some_and(|last| last.source == mark.source && last.change <= mark.change);
        let forgotten = self.forget(if continues { changed } else { &Changed::Everything });
        *applied = Some(mark);
        forgotten
    }

    /// Forgets what a change concerns that this process made, and numbers it. Once this has returned,
    /// facts that were read before the change are not kept.
    pub fn apply_next(&self, changed: &Changed) -> Forgotten<F> {
        let mut applied = self.applied.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = applied.as_mut() {
            last.change += 1;
        }
        self.forget(changed)
    }

    /// Keeps facts, unless a change was applied since they were read, after `read`.
    pub fn keep(&self, read: Mark, digest: Digest, facts: F) {
        let applied = self.applied.read().unwrap_or_else(PoisonError::into_inner);
        let current = applied.is_some_and(|last| last.source == read.source && last.change <= read.change);
        let hash = self.hash(facts.id());
        let Some(shard) = self.shard(hash).filter(|_| current && self.most_keys > 0) else { return };
        let mut table = shard.write();
        // Facts of the same key may just have been kept by another thread: these are as good.
        let known = table.remove(hash, facts.id()).is_some();
        // When there is no room, one key of this shard goes for it; if the shard has none, one more
        // than wanted is kept.
        let full = !known && self.kept.load(Ordering::Relaxed) >= self.most_keys;
        let victim = full.then(|| table.forget_one()).flatten();
        table.insert(hash, Entry::new(facts, digest), |id| self.hash(id));
        if !known && victim.is_none() {
            self.kept.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The caller holds `applied` for writing.
    fn forget(&self, changed: &Changed) -> Forgotten<F> {
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
                    let forgotten = self.shard(hash).and_then(|shard| shard.write().remove(hash, id));
                    self.kept.fetch_sub(usize::from(forgotten.is_some()), Ordering::Relaxed);
                }
                // A user changes seldom, so it may look at every key.
                if !users.is_empty() {
                    for shard in &self.shards {
                        let forgotten = shard.write().forget_where(|facts| users.contains(&facts.user()));
                        self.kept.fetch_sub(forgotten, Ordering::Relaxed);
                    }
                }
                Forgotten(Vec::new())
            }
        }
    }

    /// Seeded by this process, so that nobody can make ids that collide.
    #[inline]
    fn hash(&self, id: &Id) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(id);
        hasher.finish()
    }

    /// By bits of the hash that the tables make no use of: they take the lowest and the highest.
    #[inline]
    fn shard(&self, hash: u64) -> Option<&Shard<F>> {
        let drawn = (hash >> 16) & u64::from(u32::MAX);
        // Scaled, not divided: a number below 2^32 becomes one below the number of shards.
        self.shards.get(((drawn * self.shards.len() as u64) >> 32) as usize)
    }
}

/// Into how many shards so many keys go: half of [`MOST_SHARDS`] or more, and so many that their
/// tables are four fifths full when all keys are there. Tables double; one that has just done so is
/// half empty, and its entries lie far apart, so they are slow to find.
pub(super) fn shards_for(most_keys: usize) -> usize {
    let mut buckets: usize = 16;
    while most_keys / (buckets / 5 * 4) >= MOST_SHARDS {
        buckets *= 2;
    }
    (most_keys / (buckets / 5 * 4)).max(1)
}
