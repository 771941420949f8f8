//! What a verifier remembers, and until when it may.
//!
//! **Invariant:** a lease is extended only after the changes that came with it were applied. Who
//! reads the new lease (`Acquire`) finds the memory as it was left before the lease was written
//! (`Release`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keyward_api::verifiers::{LookUpResponse, PollResponse};
use keyward_domain::key::{Digest, PresentedKey};
use keyward_domain::{Moment, UserId};
use keyward_verdict::{Changed, Forgotten, Found, Mark};

use super::facts::{Access, Facts, Holder};
use super::interned::Interned;

#[derive(Debug)]
pub(super) struct Memory {
    facts: keyward_verdict::Memory<Facts>,
    /// The moment at which the lease ends.
    lease: AtomicU64,
    interned: Mutex<(Interned<Holder>, Interned<Access>)>,
}

impl Memory {
    pub(super) fn new(most_keys: usize) -> Self {
        Self { facts: keyward_verdict::Memory::new(most_keys), lease: AtomicU64::new(0), interned: Mutex::default() }
    }

    /// The facts of the key that is this text.
    ///
    /// The text is not parsed: one that has the digest of a key is that key.
    #[inline]
    pub(super) fn get(&self, token: &str) -> Found<Facts> {
        let Ok(text) = token.as_bytes().try_into() else { return Found::Nothing };
        let text: &[u8; PresentedKey::LENGTH] = text;
        let Some((id, _)) = text.split_first_chunk() else { return Found::Nothing };
        self.facts.get(id, || Digest::of(text))
    }

    /// The moment at which the lease ends. What is remembered may be used before it; see
    /// [`Verifier::verify`](super::Verifier::verify) for when to read it.
    pub(super) fn lease(&self) -> Moment {
        Moment::from_nanos(self.lease.load(Ordering::Acquire))
    }

    /// The last change that was applied.
    pub(super) fn applied(&self) -> Option<Mark> {
        self.facts.mark()
    }

    /// How many keys are remembered.
    pub(super) fn len(&self) -> usize {
        self.facts.len()
    }

    /// Applies what the server told, and then extends the lease, counted from when the request was
    /// sent.
    pub(super) fn apply(&self, told: &PollResponse, sent: Moment) -> Forgotten<Facts> {
        let changed = if told.reset {
            Changed::Everything
        } else {
            // A text that is no key's id is not remembered.
            let keys = told.keys.iter().filter_map(|id| keyward_verdict::id(id)).collect();
            Changed::Named { keys, users: told.users.iter().copied().map(UserId::from_uuid).collect() }
        };
        let forgotten = self.facts.apply(Mark { source: told.start, change: told.change }, &changed);
        let ends = sent.after(Duration::from_millis(told.lease_ms));
        let ends = if told.lease_ms == 0 { Moment::BEGINNING } else { ends };
        self.lease.store(ends.nanos(), Ordering::Release);
        forgotten
    }

    /// Keeps facts of the key of this digest, unless a change was applied since they were read.
    pub(super) fn keep(&self, answer: &LookUpResponse, digest: Digest, mut facts: Facts) {
        facts.holder = self.share(&facts.holder);
        self.facts.keep(Mark { source: answer.start, change: answer.change }, digest, facts);
    }

    /// The same holder, with as much of it shared as others have too.
    fn share(&self, holder: &Holder) -> Arc<Holder> {
        let mut interned = self.interned.lock().unwrap_or_else(PoisonError::into_inner);
        let (holders, accesses) = &mut *interned;
        let access = accesses.share(Arc::clone(&holder.access));
        holders.share(Arc::new(Holder { user_id: holder.user_id, username: holder.username.clone(), access }))
    }
}

#[cfg(test)]
mod tests;
