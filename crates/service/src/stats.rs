//! Figures for operators: what the caches, the verifiers and the audit log do.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::Service;
use crate::verifiers::Barrier;

type Observer = Box<dyn Fn(&Barrier) + Send + Sync>;

/// Counters, and who is told of each barrier.
#[derive(Default)]
pub(crate) struct Counters {
    hits: AtomicU64,
    misses: AtomicU64,
    entries: AtomicU64,
    on_barrier: OnceLock<Observer>,
}

/// The figures at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Uses of a key that the cache answered, since the start.
    pub cache_hits: u64,
    /// Uses of a key that needed the database, since the start.
    pub cache_misses: u64,
    /// The number of cached keys.
    pub cached_keys: usize,
    /// Connected verifiers.
    pub verifiers: usize,
    /// Whether this server may grant leases to verifiers, or has none that needs one.
    pub lease_is_valid: bool,
    /// Audit entries that this server has written since the start.
    pub audit_entries: u64,
}

impl Counters {
    pub(crate) fn count_look_up(&self, hit: bool) {
        let counter = if hit { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_entries(&self, entries: usize) {
        self.entries.fetch_add(u64::try_from(entries).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn observe_barrier(&self, barrier: &Barrier) {
        if let Some(observe) = self.on_barrier.get() {
            observe(barrier);
        }
    }
}

impl Service {
    /// The figures now.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let counters = &self.inner.counters;
        let verifiers = self.inner.verifiers.connected().len();
        Stats {
            cache_hits: counters.hits.load(Ordering::Relaxed),
            cache_misses: counters.misses.load(Ordering::Relaxed),
            cached_keys: self.inner.cache.len(),
            verifiers,
            lease_is_valid: verifiers == 0 || self.inner.coherence.grants_leases(),
            audit_entries: counters.entries.load(Ordering::Relaxed),
        }
    }

    /// Calls `observe` with the result of each wait for verifiers. Only the first call has an effect.
    pub fn on_barrier(&self, observe: impl Fn(&Barrier) + Send + Sync + 'static) {
        // A second observer is ignored, as documented.
        let _first = self.inner.counters.on_barrier.set(Box::new(observe));
    }

    /// Calls `observe` with the time that each use case waits for a database connection. Only the first
    /// call has an effect.
    pub fn on_database_wait(&self, observe: impl Fn(Duration) + Send + Sync + 'static) {
        self.inner.store.on_wait(observe);
    }
}
