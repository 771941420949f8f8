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

use std::collections::HashSet;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use hashbrown::DefaultHashBuilder;
use keyward_api::verifiers::{LookUpResponse, PollResponse};
use keyward_domain::Moment;
use keyward_domain::key::{Digest, PresentedKey};
use uuid::Uuid;

use super::facts::{self, Access, Facts, Holder, Id};
use super::interned::Interned;
use super::shard::{Entry, Shard, Table};

/// Enough that threads seldom meet.
const MOST_SHARDS: usize = 96;

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
    interned: Mutex<(Interned<Holder>, Interned<Access>)>,
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
    Facts(Facts),
}

impl Memory {
    pub(super) fn new(most_keys: usize) -> Self {
        Self {
            most_keys,
            hasher: DefaultHashBuilder::default(),
            shards: (0..shards_for(most_keys)).map(|_| Shard::default()).collect(),
            kept: AtomicUsize::new(0),
            applied: RwLock::default(),
            lease: AtomicU64::new(0),
            interned: Mutex::default(),
        }
    }

    /// The facts of the key that is this text.
    ///
    /// The text is not parsed: one that has the digest of a key is that key. It is hashed after the
    /// look-up has begun, and before anything of it is awaited: with many keys the facts come from
    /// main memory, and meanwhile the processor has something to do.
    #[inline]
    pub(super) fn get(&self, token: &str) -> Found {
        let Ok(text) = token.as_bytes().try_into() else { return Found::Nothing };
        let text: &[u8; PresentedKey::LENGTH] = text;
        let Some((id, _)) = text.split_first_chunk() else { return Found::Nothing };
        let hash = self.hash(id);
        let Some(shard) = self.shard(hash) else { return Found::Nothing };
        let table = shard.read();
        match table.get(hash, id) {
            None => Found::Nothing,
            // In constant time: how long it takes says nothing of the digest that is remembered.
            Some(entry) if entry.digest.matches(&Digest::of(text)) => {
                entry.mark_used();
                Found::Facts(entry.facts.clone())
            }
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
                self.forget(id);
            }
            if !news.users.is_empty() {
                self.forget_keys_of(&news.users);
            }
        }
        *applied = Some((news.start, news.change));
        drop(applied);
        let ends = sent.after(Duration::from_millis(news.lease_ms));
        let ends = if news.lease_ms == 0 { Moment::BEGINNING } else { ends };
        self.lease.store(ends.nanos(), Ordering::Release);
        forgotten
    }

    /// Keeps facts of the key of this digest, unless a change was applied since they were read.
    pub(super) fn keep(&self, answer: &LookUpResponse, digest: Digest, mut facts: Facts) {
        let applied = self.applied.read().unwrap_or_else(PoisonError::into_inner);
        let current = applied.is_some_and(|(start, applied)| start == answer.start && applied <= answer.change);
        let hash = self.hash(&facts.id);
        let Some(shard) = self.shard(hash).filter(|_| current && self.most_keys > 0) else { return };
        facts.holder = self.share(&facts.holder);
        let mut table = shard.write();
        // Facts of the same key were just brought by someone else: these are as good, and maybe newer.
        let known = table.remove(hash, &facts.id).is_some();
        // When there is room no more, one key of this shard goes for it; if the shard has none, one more
        // than wanted is kept.
        let full = !known && self.kept.load(Ordering::Relaxed) >= self.most_keys;
        let victim = full.then(|| table.forget_one()).flatten();
        table.insert(hash, Entry::new(facts, digest), |id| self.hash(id));
        if !known && victim.is_none() {
            self.kept.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The same holder, with as much of it shared as others have too.
    fn share(&self, holder: &Holder) -> Arc<Holder> {
        let mut interned = self.interned.lock().unwrap_or_else(PoisonError::into_inner);
        let (holders, accesses) = &mut *interned;
        let access = accesses.share(Arc::clone(&holder.access));
        holders.share(Arc::new(Holder { user_id: holder.user_id, username: holder.username.clone(), access }))
    }

    fn forget(&self, id: &str) {
        // What is no id of a key is not here.
        let Some(id) = facts::id(id) else { return };
        let hash = self.hash(&id);
        let forgotten = self.shard(hash).and_then(|shard| shard.write().remove(hash, &id));
        if forgotten.is_some() {
            self.kept.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// A change of a user is seldom: it may look at every key.
    fn forget_keys_of(&self, users: &[Uuid]) {
        let users: HashSet<&Uuid> = users.iter().collect();
        for shard in &self.shards {
            let forgotten = shard.write().forget_where(|facts| users.contains(&facts.holder.user_id));
            self.kept.fetch_sub(forgotten, Ordering::Relaxed);
        }
    }

    /// Drawn with a key of this process's own, so that nobody can make ids that meet in one place.
    #[inline]
    fn hash(&self, id: &Id) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(id);
        hasher.finish()
    }

    /// By bits of the hash that the tables make no use of: they take the lowest and the highest.
    fn shard(&self, hash: u64) -> Option<&Shard> {
        let drawn = (hash >> 16) & u64::from(u32::MAX);
        // Scaled, not divided: a number below 2^32 becomes one below the number of shards.
        self.shards.get(((drawn * self.shards.len() as u64) >> 32) as usize)
    }
}

/// Into how many shards so many keys go: half of [`MOST_SHARDS`] or more, and so many that their
/// tables are four fifths full when all keys are there. Tables double; one that has just done so
/// is half empty, and what is nowhere near in memory is slow to find.
fn shards_for(most_keys: usize) -> usize {
    let mut buckets: usize = 16;
    while most_keys / (buckets / 5 * 4) >= MOST_SHARDS {
        buckets *= 2;
    }
    (most_keys / (buckets / 5 * 4)).max(1)
}

#[cfg(test)]
mod tests;
