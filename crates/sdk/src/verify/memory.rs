//! What a verifier remembers, and until when it may.
//!
//! Facts lie in shards, by the key's id, each behind a lock of its own, so that many threads read
//! without all of them writing to one lock's line of memory. What changes them is ordered by one
//! more lock, `applied`, which readers never touch: news is applied while it is held for writing,
//! over all shards, and facts are kept while it is held for reading.
//!
//! **Invariant:** facts are kept only if no change was applied that they may not know of: a keeper
//! either sees the new number and keeps nothing, or has finished before the news is applied, which
//! then finds what it kept.
//!
//! **Invariant:** a lease is extended only after the changes that came with it were applied, in
//! every shard. Who reads the new lease (`Acquire`) finds the shards as they were left before it was
//! written (`Release`).

use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use hashbrown::DefaultHashBuilder;
use keyward_api::verifiers::{LookUpResponse, PollResponse};
use keyward_domain::key::KeyText;
use keyward_domain::{KeyId, Moment};
use uuid::Uuid;

use super::facts::{Access, Facts, Owner};
use super::interned::Interned;
use super::shard::{Shard, Table};

/// Enough that threads seldom meet; a power of two.
const SHARDS: usize = 64;

#[derive(Debug)]
pub(super) struct Memory {
    most_keys: usize,
    hasher: DefaultHashBuilder,
    shards: Box<[Shard]>,
    /// How many keys all shards hold.
    kept: AtomicUsize,
    /// The server's start, and the last of its changes that was applied.
    applied: RwLock<Option<(Uuid, u64)>>,
    /// The moment at which the lease ends.
    lease: AtomicU64,
    owners: Mutex<Interned<Owner>>,
    accesses: Mutex<Interned<Access>>,
}

/// What is remembered of a key that was presented.
#[derive(Debug)]
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// That the key of this id has another secret. A key's secret never changes, so that one that is
    /// wrong stays wrong.
    WrongSecret,
    /// All that is needed.
    Facts(Arc<Facts>),
}

impl Memory {
    pub(super) fn new(most_keys: usize) -> Self {
        Self {
            most_keys,
            hasher: DefaultHashBuilder::default(),
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            kept: AtomicUsize::new(0),
            applied: RwLock::default(),
            lease: AtomicU64::new(0),
            owners: Mutex::default(),
            accesses: Mutex::default(),
        }
    }

    /// The facts of a key whose secret is right.
    ///
    /// The text is hashed after the look-up has begun, and before anything of it is awaited: with
    /// many keys the facts come from main memory, and meanwhile the processor has something to do.
    #[inline]
    pub(super) fn get(&self, key: &KeyText<'_>) -> Found {
        let hash = self.hasher.hash_one(key.id());
        let Some(shard) = self.shard(hash) else { return Found::Nothing };
        let table = shard.read();
        match table.get(hash, key.id()) {
            None => Found::Nothing,
            // In constant time: how long it takes says nothing of the digest that is remembered.
            Some(facts) if facts.digest.matches(&key.digest()) => Found::Facts(Arc::clone(facts)),
            Some(_) => Found::WrongSecret,
        }
    }

    /// The moment at which the lease ends. What is remembered may be used before it; see
    /// [`Verifier::verify`](super::Verifier::verify) for when to read it.
    pub(super) fn lease(&self) -> Moment {
        Moment::from_nanos(self.lease.load(Ordering::Acquire))
    }

    /// What to tell the server that was applied.
    pub(super) fn applied(&self) -> Option<(Uuid, u64)> {
        *self.applied.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many keys are remembered.
    pub(super) fn len(&self) -> usize {
        self.kept.load(Ordering::Relaxed)
    }

    /// Applies what the server told, and then extends the lease, counted from when the request was
    /// sent. What was forgotten is handed back, since to free a million keys takes a while.
    pub(super) fn apply(&self, news: &PollResponse, sent: Moment) -> Vec<Table> {
        let mut applied = self.applied.write().unwrap_or_else(PoisonError::into_inner);
        let continues = applied.is_some_and(|(start, applied)| start == news.start && applied <= news.change);
        let mut forgotten = Vec::new();
        if news.reset || !continues {
            forgotten.extend(self.shards.iter().map(|shard| std::mem::take(&mut *shard.write())));
            forgotten.retain(|table| !table.is_empty());
            self.kept.store(0, Ordering::Relaxed);
        } else {
            for id in &news.keys {
                self.forget(&KeyId::from_stored(id.clone()));
            }
        }
        *applied = Some((news.start, news.change));
        drop(applied);
        let ends = sent.after(Duration::from_millis(news.lease_ms));
        let ends = if news.lease_ms == 0 { Moment::BEGINNING } else { ends };
        self.lease.store(ends.nanos(), Ordering::Release);
        forgotten
    }

    /// Keeps facts, unless a change was applied since they were read.
    pub(super) fn keep(&self, answer: &LookUpResponse, mut facts: Facts) -> Arc<Facts> {
        let applied = self.applied.read().unwrap_or_else(PoisonError::into_inner);
        let current = applied.is_some_and(|(start, applied)| start == answer.start && applied <= answer.change);
        let hash = self.hasher.hash_one(&facts.id);
        let Some(shard) = self.shard(hash).filter(|_| current && self.most_keys > 0) else {
            return Arc::new(facts);
        };
        facts.owner = self.owners.lock().unwrap_or_else(PoisonError::into_inner).share(facts.owner);
        facts.access = self.accesses.lock().unwrap_or_else(PoisonError::into_inner).share(facts.access);
        let facts = Arc::new(facts);
        let mut table = shard.write();
        // Facts of the same key were just brought by someone else: these are as good, and maybe newer.
        let known = table.remove(hash, &facts.id).is_some();
        // When there is room no more, one key of this shard goes for it; if the shard has none, one more
        // than wanted is kept.
        let full = !known && self.kept.load(Ordering::Relaxed) >= self.most_keys;
        let victim = full.then(|| table.forget_one()).flatten();
        table.insert(hash, Arc::clone(&facts), |facts| self.hasher.hash_one(&facts.id));
        if !known && victim.is_none() {
            self.kept.fetch_add(1, Ordering::Relaxed);
        }
        facts
    }

    fn forget(&self, id: &KeyId) {
        let hash = self.hasher.hash_one(id);
        let forgotten = self.shard(hash).and_then(|shard| shard.write().remove(hash, id));
        if forgotten.is_some() {
            self.kept.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// By bits of the hash that the tables make no use of: they take the lowest and the highest.
    fn shard(&self, hash: u64) -> Option<&Shard> {
        self.shards.get((hash >> 32) as usize % SHARDS)
    }
}
