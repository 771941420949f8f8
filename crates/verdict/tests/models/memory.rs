//! Runs the cache's own source under thread schedules that `shuttle` controls: all schedules with few
//! readers and writers, and many random ones with more. The model assumes that the locks order the
//! operations under them, as real locks do.

#[expect(dead_code, reason = "the models need a part of it")]
#[path = "../../src/memory/order.rs"]
mod order;
#[expect(dead_code, reason = "the models need a part of it")]
#[path = "../../src/memory/shard.rs"]
mod shard;

/// Replaces the crate's own `sync`.
mod sync {
    pub(super) use shuttle::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
    pub(super) use std::sync::PoisonError;
}

use std::collections::HashSet;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering as Counted};

use keyward_domain::UserId;
use keyward_domain::key::Digest;
use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler, Scheduler};
use shuttle::sync::Mutex;
use shuttle::sync::atomic::{AtomicBool, Ordering};
use shuttle::{Config, FailurePersistence, Runner, thread};
use uuid::Uuid;

use order::{Changed, Found, Id, Memory, Remembered};

/// An intentional deviation of a writer or reader from the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// The success is reported before the key is evicted.
    AnswerBeforeEviction,
    /// The key is evicted before the change is committed.
    EvictBeforeCommit,
    /// Facts are inserted without regard to changes since they were read.
    KeepWithoutMark,
}

const ACCEPTED: &str = "accepted after the success";
const STALE: &str = "the cached row is stale";

/// The writers. Each runs on its own thread.
#[derive(Clone, Copy, Debug)]
enum Writer {
    /// Ends the key.
    Expire,
    /// Suspends its user.
    Suspend,
    /// Moves the key's expiry later if it is live, as a use of a session does.
    Slide,
}

/// The row of a key and its user; also their cached facts.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    live: bool,
    active: bool,
    ends: u32,
}

impl Row {
    fn is_good(&self) -> bool {
        self.live && self.active
    }
}

impl Remembered for Row {
    fn id(&self) -> &Id {
        b"kws_0000000001"
    }

    fn user(&self) -> UserId {
        UserId::from_uuid(Uuid::from_u128(7))
    }
}

/// A server: its database of one row, its cache, and the client that waits for the success.
struct World {
    fault: Fault,
    row: Mutex<Row>,
    memory: Memory<Row>,
    /// Whether the client has read the success of an expire or a suspension.
    answered: AtomicBool,
}

/// How often a cached row was accepted, over all schedules.
static HITS: AtomicUsize = AtomicUsize::new(0);

fn digest() -> Digest {
    Digest::from_bytes([7; 32])
}

impl World {
    fn new(fault: Fault) -> Self {
        // One key, so one shard: with more shards, the schedules would include locks without contention.
        let memory = Memory::numbered_here(1);
        let row = Mutex::new(Row { live: true, active: true, ends: 1 });
        Self { fault, row, memory, answered: AtomicBool::new(false) }
    }

    fn recall(&self) -> Option<Row> {
        match self.memory.get(b"kws_0000000001", digest) {
            Found::Facts(row) => Some(row),
            Found::Nothing | Found::WrongSecret => None,
        }
    }

    /// Does what the server does, except for the fault.
    fn read(&self) {
        let began_after = self.answered.load(Ordering::SeqCst);
        let (row, hit) = match self.recall() {
            Some(row) => (row, true),
            None => {
                let before = self.memory.mark();
                let row = self.stored();
                let mark = if self.fault == Fault::KeepWithoutMark { self.memory.mark() } else { before };
                self.memory.keep(mark.unwrap(), digest(), row.clone());
                (row, false)
            }
        };
        assert!(!(row.is_good() && began_after), "{ACCEPTED}");
        HITS.fetch_add(usize::from(row.is_good() && hit), Counted::Relaxed);
    }

    /// Does what the server does, except for the fault.
    fn write(&self, writer: Writer) {
        let changed = match writer {
            Writer::Expire | Writer::Slide => Changed::Named { keys: vec![*b"kws_0000000001"], users: HashSet::new() },
            Writer::Suspend => {
                Changed::Named { keys: Vec::new(), users: HashSet::from([UserId::from_uuid(Uuid::from_u128(7))]) }
            }
        };
        let evict = || drop(self.memory.apply_next(&changed));
        let answer = || match writer {
            Writer::Expire | Writer::Suspend => self.answered.store(true, Ordering::SeqCst),
            Writer::Slide => {}
        };
        match self.fault {
            Fault::None | Fault::KeepWithoutMark => {
                self.commit(writer);
                evict();
                answer();
            }
            Fault::AnswerBeforeEviction => {
                self.commit(writer);
                answer();
                evict();
            }
            Fault::EvictBeforeCommit => {
                evict();
                self.commit(writer);
                answer();
            }
        }
    }

    fn commit(&self, writer: Writer) {
        let mut row = self.row.lock().unwrap();
        match writer {
            Writer::Expire => row.live = false,
            Writer::Suspend => row.active = false,
            Writer::Slide if row.live => row.ends += 1,
            Writer::Slide => {}
        }
    }

    fn stored(&self) -> Row {
        self.row.lock().unwrap().clone()
    }

    /// Once all threads have ended, the cached row must equal the stored row.
    fn check_cached_row(&self) {
        if let Some(row) = self.recall() {
            assert_eq!(row, self.stored(), "{STALE}");
        }
    }
}

/// Runs writers, the first of them on the main thread, and readers with `reads` reads each, under the
/// schedules of the scheduler. Returns the number of schedules.
fn run(
    scheduler: impl Scheduler + 'static,
    fault: Fault,
    writers: &'static [Writer],
    readers: usize,
    reads: usize,
) -> usize {
    let mut config = Config::new();
    config.failure_persistence = FailurePersistence::None;
    Runner::new(scheduler, config).run(move || {
        let world = Arc::new(World::new(fault));
        let (first, others) = writers.split_first().unwrap();
        let mut threads = Vec::new();
        for _ in 0..readers {
            let world = Arc::clone(&world);
            threads.push(thread::spawn(move || (0..reads).for_each(|_| world.read())));
        }
        for writer in others {
            let world = Arc::clone(&world);
            threads.push(thread::spawn(move || world.write(*writer)));
        }
        world.write(*first);
        for thread in threads {
            thread.join().unwrap();
        }
        world.check_cached_row();
    })
}

/// Runs all schedules.
fn every(fault: Fault, writers: &'static [Writer], readers: usize, reads: usize) -> usize {
    run(DfsScheduler::new(None, false), fault, writers, readers, reads)
}

/// The failure that the search over all schedules finds for a fault.
fn counterexample(fault: Fault) -> String {
    let searched = catch_unwind(|| every(fault, &[Writer::Expire], 1, 2));
    let found = searched.expect_err("the fault is not found");
    found
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| found.downcast_ref::<&str>().map(|&text| text.to_owned()))
        .unwrap()
}

#[test]
fn in_every_schedule_of_a_reader_and_an_expire_nobody_accepts_after_the_success() {
    let before = HITS.load(Counted::Relaxed);
    let schedules = every(Fault::None, &[Writer::Expire], 1, 2);
    assert!(schedules > 3_000, "{schedules}");
    assert!(HITS.load(Counted::Relaxed) > before, "no schedule had a cache hit");
}

#[test]
fn in_every_schedule_of_a_reader_and_a_suspension_nobody_accepts_after_the_success() {
    let schedules = every(Fault::None, &[Writer::Suspend], 1, 2);
    assert!(schedules > 3_000, "{schedules}");
}

#[test]
fn in_every_schedule_of_a_reader_and_a_slide_the_cached_row_equals_the_stored_row() {
    let schedules = every(Fault::None, &[Writer::Slide], 1, 2);
    assert!(schedules > 500, "{schedules}");
}

#[test]
fn many_readers_beside_an_expire_a_slide_and_a_suspension_never_accept_after_the_success() {
    let writers = &[Writer::Expire, Writer::Slide, Writer::Suspend];
    run(PctScheduler::new(3, 5_000), Fault::None, writers, 3, 3);
    run(RandomScheduler::new(5_000), Fault::None, writers, 3, 3);
}

#[test]
fn an_answer_before_the_eviction_is_found() {
    assert_eq!(counterexample(Fault::AnswerBeforeEviction), ACCEPTED);
}

#[test]
fn an_eviction_before_the_commit_is_found() {
    assert_eq!(counterexample(Fault::EvictBeforeCommit), ACCEPTED);
}

#[test]
fn facts_kept_without_their_mark_are_found() {
    assert_eq!(counterexample(Fault::KeepWithoutMark), ACCEPTED);
}
