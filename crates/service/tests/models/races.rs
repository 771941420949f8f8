//! Keys are locked, unlocked, limited and expired while other tasks use them at every door.
//!
//! A use proves something only if the lock was there from its begin to its end. So each locker counts the
//! locks that were answered and those whose removal has begun, and a use reads the first number before it
//! begins and the second after it has ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use keyward_domain::lock::{LockMode, LockSelector};
use keyward_domain::{Lifetime, PlainKey};
use keyward_service::activity::Via;
use keyward_service::keys::NewToken;
use keyward_service::locks::NewLock;
use keyward_service::{Checked, Lane, Rejection};
use keyward_test_database::Backend;
use keyward_verdict::{Need, Verdict};

use crate::acts::Acts as _;
use crate::embedded::Embedded;
use crate::locks::deny;
use crate::world::{World, request};

/// Locks that each locker adds and removes.
const LOCKS: u64 = 8;

/// Scopes of the keys.
const HELD: [&str; 2] = ["workspace:read", "template:read"];

/// What a limit leaves of [`HELD`]. The keys do not have `file:read`.
const LIMIT: [&str; 2] = ["workspace:read", "file:read"];

#[derive(Clone, Copy, Debug)]
enum Door {
    Check,
    Authenticate,
    Embedded,
}

struct Target {
    plain: PlainKey,
    /// Whether the expire has answered.
    expired: AtomicBool,
}

struct Locker {
    new: NewLock,
    /// Whether the clock ends its locks.
    ends_by_clock: bool,
    /// Whether it selects each of the keys.
    selects: [bool; 3],
    /// The number of locks whose request has answered.
    answered: AtomicU64,
    /// The number of locks whose removal has begun.
    removing: AtomicU64,
}

struct Race {
    world: Arc<World>,
    verifier: Arc<Embedded>,
    keys: [Target; 3],
    lockers: Vec<Locker>,
    /// How often all keys have been used at each door.
    rounds: [AtomicU64; 3],
    over: AtomicBool,
    counts: Arc<Counts>,
}

/// How many uses proved what.
#[derive(Debug, Default)]
struct Counts {
    accepted: AtomicUsize,
    locked: [AtomicUsize; 3],
    limited: AtomicUsize,
    expired: AtomicUsize,
}

/// Delays that differ from locker to locker and from lock to lock.
struct Delays(u64);

impl Delays {
    async fn wait(&mut self, up_to: u64) {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        tokio::time::sleep(Duration::from_micros((self.0 >> 33) % up_to)).await;
    }
}

impl Race {
    async fn new(world: Arc<World>, verifier: Arc<Embedded>, counts: Arc<Counts>) -> Self {
        let owner = world.owner();
        let user = world.user().await;
        let mut keys = Vec::new();
        for name in ["Deploy-1", "deploy-2", "other"] {
            let scopes = world.service.catalogue().parse_scopes(HELD).unwrap();
            let lifetime = Ok(Some(Lifetime::days(1)));
            let new = NewToken { scopes, name: Ok(Some(name.parse().unwrap())), lifetime, ..NewToken::default() };
            let (plain, _) = world.service.create_token(&owner, &user, new).await.unwrap();
            keys.push(Target { plain, expired: AtomicBool::new(false) });
        }
        let keys: [Target; 3] = keys.try_into().unwrap_or_else(|_| panic!("three keys"));
        let ids = keys[..2].iter().map(|target| target.plain.id().clone()).collect();
        let by_ids = LockSelector { ids: Some(ids), ..LockSelector::default() };
        let by_user = LockSelector { user: Some(user.id), ..LockSelector::default() };
        let by_name = LockSelector { name_prefix: Some("deploy-".to_owned()), ..LockSelector::default() };
        let by_scope = LockSelector { scope: Some("template:read".parse().unwrap()), ..LockSelector::default() };
        let limit = world.service.catalogue().parse_scopes(LIMIT).unwrap();
        let limit = NewLock { mode: LockMode::Limit(limit), ..deny(by_scope.clone(), "limit") };
        let locker = |new, ends_by_clock, selects| Locker {
            new,
            ends_by_clock,
            selects,
            answered: AtomicU64::new(0),
            removing: AtomicU64::new(0),
        };
        let lockers = vec![
            locker(deny(by_ids, "ids"), false, [true, true, false]),
            locker(deny(by_name, "name"), true, [true, true, false]),
            locker(deny(by_user, "user"), false, [true; 3]),
            locker(deny(LockSelector::default(), "everything"), false, [true; 3]),
            locker(limit, false, [true; 3]),
        ];
        Self { world, verifier, keys, lockers, rounds: Default::default(), over: AtomicBool::new(false), counts }
    }

    /// Adds and removes the locks of one locker.
    async fn lock(&self, which: usize) {
        let (locker, service) = (&self.lockers[which], &self.world.service);
        let mut delays = Delays(which as u64);
        for number in 1..=LOCKS {
            delays.wait(6_000).await;
            let owner = self.world.owner();
            let desk = service.lock_desk(&owner).unwrap();
            let ends_at = owner.now.checked_add(Lifetime::minutes(1)).filter(|_| locker.ends_by_clock);
            let lock = desk.add(NewLock { ends_at, ..locker.new.clone() }).await.unwrap();
            locker.answered.store(number, Ordering::SeqCst);
            // Some locks stay until uses at every door have proved something, however busy the machine is.
            if number % 4 == 0 {
                self.wait_for_uses().await
            } else {
                delays.wait(4_000).await
            }
            locker.removing.store(number, Ordering::SeqCst);
            if locker.ends_by_clock {
                self.world.clock.advance(Lifetime::minutes(1));
                service.remove_ended_locks().await.unwrap();
            } else {
                desk.remove(lock.id).await.unwrap();
            }
        }
    }

    /// Waits until all keys were used at every door, from begin to end.
    async fn wait_for_uses(&self) {
        let rounds = || self.rounds.each_ref().map(|rounds| rounds.load(Ordering::SeqCst));
        let (before, began) = (rounds(), Instant::now());
        // The deadline is for a door whose task has failed: that ends the test later.
        while rounds().iter().zip(before).any(|(now, before)| *now < before + 2)
            && began.elapsed() < Duration::from_secs(2)
        {
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
    }

    /// Expires a key, while the lockers are at work.
    async fn expire(&self, key: usize) {
        Delays(key as u64 + 100).wait(60_000).await;
        let target = &self.keys[key];
        self.world.service.expire_key(&self.world.owner(), target.plain.id()).await.unwrap();
        target.expired.store(true, Ordering::SeqCst);
    }

    /// Uses all keys at a door until the race is over.
    async fn use_keys(&self, door: Door) {
        let needs = [Need::nothing(), Need::scope("template:read"), Need::scope("file:read")];
        while !self.over.load(Ordering::SeqCst) {
            for (key, target) in self.keys.iter().enumerate() {
                for (number, need) in needs.iter().enumerate() {
                    let expired = target.expired.load(Ordering::SeqCst);
                    let answered: Vec<u64> = self.lockers.iter().map(|l| l.answered.load(Ordering::SeqCst)).collect();
                    let verdict = self.judge(door, &target.plain, need).await;
                    let held = |locker: &Locker, answered| answered > locker.removing.load(Ordering::SeqCst);
                    let locks = self.lockers.iter().zip(answered).filter(|(l, n)| l.selects[key] && held(l, *n));
                    let (limits, denies): (Vec<_>, Vec<_>) =
                        locks.partition(|(locker, _)| matches!(locker.new.mode, LockMode::Limit(_)));
                    let (limited, denied) = (!limits.is_empty(), !denies.is_empty());
                    let why = || format!("{door:?}, key {key}, need {need:?}: {verdict:?}");
                    let counts = &self.counts;
                    if expired {
                        assert!(matches!(verdict, Verdict::Expired(_)), "expired, but {}", why());
                        counts.expired.fetch_add(1, Ordering::Relaxed);
                    } else if denied {
                        let refused = matches!(verdict, Verdict::Locked(_) | Verdict::Expired(_));
                        assert!(refused, "locked, but {}", why());
                        counts.locked[door as usize].fetch_add(1, Ordering::Relaxed);
                    }
                    if verdict == Verdict::Valid {
                        assert!(number != 2, "never granted, but {}", why());
                        assert!(!limited || number == 0, "limited, but {}", why());
                        counts.accepted.fetch_add(1, Ordering::Relaxed);
                    }
                    counts.limited.fetch_add(usize::from(limited && number == 1), Ordering::Relaxed);
                }
            }
            let session = self.judge(door, &self.world.session, &Need::scope("*:*")).await;
            assert_eq!(session, Verdict::Valid, "the maker's session, {door:?}");
            self.rounds[door as usize].fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
        }
    }

    async fn judge(&self, door: Door, key: &PlainKey, need: &Need) -> Verdict {
        let (world, text) = (&self.world, key.expose());
        match door {
            Door::Check => match world.service.desk(&world.owner()).unwrap().check_key(text, need).await.unwrap() {
                Checked::Known { verdict, .. } => verdict,
                Checked::Invalid => panic!("the key is unknown"),
            },
            Door::Authenticate => match world.service.authenticate(text, Via::Api, Lane::Normal, request()).await {
                Ok(caller) => caller.verdict(need),
                Err(Rejection::Expired(end, _)) => Verdict::Expired(end),
                Err(Rejection::Locked(message, _)) => Verdict::Locked(message),
                Err(error) => panic!("{error}"),
            },
            Door::Embedded => self.verifier.verify(text, need, world).await.unwrap(),
        }
    }

    async fn run(self) {
        let race = Arc::new(self);
        let uses = [Door::Check, Door::Authenticate, Door::Embedded].map(|door| {
            let race = Arc::clone(&race);
            tokio::spawn(async move { race.use_keys(door).await })
        });
        let lockers = (0..race.lockers.len()).map(|which| {
            let race = Arc::clone(&race);
            tokio::spawn(async move { race.lock(which).await })
        });
        let changes: Vec<_> = lockers.collect();
        let expires = [0, 1].map(|key| {
            let race = Arc::clone(&race);
            tokio::spawn(async move { race.expire(key).await })
        });
        for change in changes.into_iter().chain(expires) {
            change.await.unwrap();
        }
        // All locks are removed: that gives back the key that lives, and no other.
        for door in [Door::Check, Door::Authenticate, Door::Embedded] {
            assert_eq!(race.judge(door, &race.keys[2].plain, &Need::scope("template:read")).await, Verdict::Valid);
            for target in &race.keys[..2] {
                let verdict = race.judge(door, &target.plain, &Need::nothing()).await;
                assert!(matches!(verdict, Verdict::Expired(_)), "{door:?}: {verdict:?}");
            }
        }
        race.over.store(true, Ordering::SeqCst);
        for used in uses {
            used.await.unwrap();
        }
    }
}

async fn race(backend: Backend, races: usize) {
    let Some(world) = World::on(backend).await.map(Arc::new) else { return };
    let verifier = Arc::new(Embedded::start(&world));
    let counts = Arc::<Counts>::default();
    for _ in 0..races {
        Race::new(Arc::clone(&world), Arc::clone(&verifier), Arc::clone(&counts)).await.run().await;
    }
    assert!(verifier.cached() > 0, "the verifier caches nothing");
    let Counts { accepted, locked, limited, expired } = &*counts;
    let all = locked.iter().chain([accepted, limited, expired]);
    assert!(all.clone().all(|count| count.load(Ordering::Relaxed) > 20), "too few uses prove anything: {counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_use_passes_a_lock_or_an_end_that_was_answered_on_sqlite() {
    race(Backend::Sqlite, 8).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_use_passes_a_lock_or_an_end_that_was_answered_on_postgres() {
    race(Backend::Postgres, 5).await;
}
