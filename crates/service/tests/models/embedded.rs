//! An embedded verifier, with the memory and the order of steps of the SDK's, that calls the service
//! directly.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use keyward_domain::UserId;
use keyward_domain::key::PresentedKey;
use keyward_service::{Desk, Facts};
use keyward_verdict::{Changed, Found, Id, Mark, Memory, Need, Remembered, Verdict};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::world::World;

#[derive(Clone)]
struct Kept(Id, Facts);

impl Remembered for Kept {
    fn id(&self) -> &Id {
        &self.0
    }

    fn user(&self) -> UserId {
        self.1.user().id
    }
}

/// A verifier that polls in the background until it is dropped.
pub(crate) struct Embedded {
    cache: Arc<Cache>,
    desk: Desk,
    polls: JoinHandle<()>,
}

struct Cache {
    memory: Memory<Kept>,
    began: Instant,
    /// When the lease ends, in nanoseconds since `began`.
    lease: AtomicU64,
}

impl Cache {
    fn since_began(&self, at: Instant) -> u64 {
        u64::try_from(at.duration_since(self.began).as_nanos()).unwrap()
    }

    async fn poll(&self, desk: &Desk) {
        let id = Uuid::new_v4();
        loop {
            let mark = self.memory.mark();
            let sent = Instant::now();
            let (start, change) = mark.map_or((None, 0), |mark| (Some(mark.source), mark.change));
            let Ok(reply) = desk.poll(id, "models", start, change).await else { return };
            let changed = if reply.reset {
                Changed::Everything
            } else {
                let keys = reply.keys.iter().filter_map(|id| keyward_verdict::id(id.as_str())).collect();
                Changed::Named { keys, users: reply.users.iter().copied().collect::<HashSet<_>>() }
            };
            drop(self.memory.apply(Mark { source: reply.start, change: reply.change }, &changed));
            self.lease.store(self.since_began(sent + reply.lease), Ordering::Release);
            if reply.lease == Duration::ZERO {
                self.lease.store(0, Ordering::Release);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

impl Embedded {
    pub(crate) fn start(world: &World) -> Self {
        let began = Instant::now();
        let cache = Arc::new(Cache { memory: Memory::new(1_000), began, lease: AtomicU64::new(0) });
        let desk = world.service.desk(&world.owner()).unwrap();
        let (polling, at) = (Arc::clone(&cache), desk.clone());
        let polls = tokio::spawn(async move { polling.poll(&at).await });
        Self { cache, desk, polls }
    }

    /// Judges a key, from the cache if the lease allows that; none if the key is invalid. It looks up
    /// a key again that is dead by the cache, because a session may have slid.
    pub(crate) async fn verify(&self, text: &str, need: &Need, world: &World) -> Option<Verdict> {
        let presented = PresentedKey::parse(text).unwrap();
        let id = keyward_verdict::id(presented.id.as_str()).unwrap();
        let lease = self.cache.lease.load(Ordering::Acquire);
        let found = self.cache.memory.get(&id, || presented.digest);
        if self.cache.since_began(Instant::now()) < lease
            && let Found::Facts(Kept(_, facts)) = found
        {
            let verdict = facts.verdict(need, world.service.now());
            if !matches!(verdict, Verdict::Expired(_)) {
                return Some(verdict);
            }
        }
        let answer = self.desk.look_up(text).await.unwrap();
        let facts = answer.facts?;
        let read = Mark { source: answer.start, change: answer.change };
        self.cache.memory.keep(read, presented.digest, Kept(id, facts.clone()));
        Some(facts.verdict(need, answer.now))
    }

    /// The number of keys in the cache.
    pub(crate) fn cached(&self) -> usize {
        self.cache.memory.len()
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.polls.abort();
    }
}
