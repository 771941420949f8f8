//! What a verifier remembers, and until when it may.
//!
//! **Invariant:** facts are kept only if no change was applied that they may not know of; a lease
//! is extended only after the changes that came with it were applied.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use keyward_api::verifiers::{LookUpResponse, PollResponse};
use keyward_domain::key::Digest;
use uuid::Uuid;

use super::clock::Moment;
use super::facts::Facts;

#[derive(Debug)]
pub(super) struct Memory {
    most_keys: usize,
    state: RwLock<State>,
    /// The moment at which the lease ends.
    lease: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// The server's start, and the last of its changes that was applied.
    applied: Option<(Uuid, u64)>,
    by_digest: HashMap<[u8; 32], Arc<Facts>>,
    by_id: HashMap<String, [u8; 32]>,
}

impl Memory {
    pub(super) fn new(most_keys: usize) -> Self {
        Self { most_keys, state: RwLock::default(), lease: AtomicU64::new(0) }
    }

    pub(super) fn get(&self, digest: &Digest) -> Option<Arc<Facts>> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).by_digest.get(digest.as_bytes()).cloned()
    }

    /// May what is remembered be used at this moment?
    pub(super) fn lease_holds(&self, now: Moment) -> bool {
        now.nanos() < self.lease.load(Ordering::Acquire)
    }

    /// What to tell the server that was applied.
    pub(super) fn applied(&self) -> Option<(Uuid, u64)> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).applied
    }

    /// Applies what the server told, and then extends the lease, counted from when the request was
    /// sent.
    pub(super) fn apply(&self, news: &PollResponse, sent: Moment) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let continues = state.applied.is_some_and(|(start, applied)| start == news.start && applied <= news.change);
        if news.reset || !continues {
            state.by_digest.clear();
            state.by_id.clear();
        } else {
            for id in &news.keys {
                state.forget(id);
            }
        }
        state.applied = Some((news.start, news.change));
        drop(state);
        let ends = sent.after(Duration::from_millis(news.lease_ms));
        let ends = if news.lease_ms == 0 { 0 } else { ends.nanos() };
        self.lease.store(ends, Ordering::Release);
    }

    /// Keeps facts, unless a change was applied since they were read.
    pub(super) fn keep(&self, answer: &LookUpResponse, digest: &Digest, facts: Facts) -> Arc<Facts> {
        let facts = Arc::new(facts);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.applied.is_some_and(|(start, applied)| start == answer.start && applied <= answer.change) {
            if state.by_digest.len() >= self.most_keys
                && let Some(victim) = state.by_id.keys().next().cloned()
            {
                state.forget(&victim);
            }
            state.by_id.insert(facts.key_id.clone(), *digest.as_bytes());
            state.by_digest.insert(*digest.as_bytes(), Arc::clone(&facts));
        }
        facts
    }
}

impl State {
    fn forget(&mut self, id: &str) {
        if let Some(digest) = self.by_id.remove(id) {
            self.by_digest.remove(&digest);
        }
    }
}
