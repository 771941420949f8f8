//! The cache's rule of generations, on the cache's own source under schedules that `shuttle`
//! controls: all of them where readers and writers are few, and many drawn at random where they are
//! more. Memory is taken to be in order, as it is behind the cache's lock.

#[expect(dead_code, reason = "the models need a part of the cache")]
#[path = "../../src/cache/held.rs"]
mod held;

/// In the place of the library's own.
mod sync {
    pub(super) use shuttle::sync::RwLock;
    pub(super) use shuttle::sync::atomic::{AtomicI64, Ordering};
    pub(super) use std::sync::PoisonError;
}

use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering as Counted};

use keyward_domain::key::Digest;
use keyward_domain::user::{UserLogin, UserStatus};
use keyward_domain::{
    AllowList, ApiKey, KeyId, KeyKind, Lifetime, LoginType, PlainKey, Roles, Scopes, Timestamp, User, UserId,
};
use keyward_storage::Changes;
use keyward_storage::keys::OwnedKey;
use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler, Scheduler};
use shuttle::sync::Mutex;
use shuttle::sync::atomic::{AtomicBool, Ordering};
use shuttle::{Config, FailurePersistence, Runner, thread};

use held::{Kept, KeyCache};

/// Where a writer or a reader does otherwise than the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// The success is told, and then the entry is dropped.
    AnswerBeforeForgetting,
    /// The entry is dropped, and then the change is made.
    ForgetBeforeCommit,
    /// What was read is kept whatever has changed since.
    FillWithoutGeneration,
}

const ACCEPTED: &str = "accepted after the success";
const OLD: &str = "an old entry is left";

/// What writers do, each on a thread of its own.
#[derive(Clone, Copy, Debug)]
enum Writer {
    /// Ends the key.
    Expire,
    /// Suspends its user.
    Suspend,
    /// Moves the end of the key later, if it is live, as the use of a session does.
    Slide,
}

/// A server: its database of one row, its cache, and the one who waits for the success.
struct World {
    fault: Fault,
    id: KeyId,
    user: UserId,
    digest: Digest,
    row: Mutex<OwnedKey>,
    cache: KeyCache,
    /// The success of what ends the key, or suspends its user, has been read.
    answered: AtomicBool,
}

/// How often what a reader found in the cache was accepted, over all schedules.
static HITS: AtomicUsize = AtomicUsize::new(0);

impl World {
    fn new(fault: Fault, stored: &OwnedKey) -> Self {
        Self {
            fault,
            id: stored.key.id.clone(),
            user: stored.owner.id,
            digest: Digest::from_bytes([7; 32]),
            row: Mutex::new(stored.clone()),
            cache: KeyCache::new(true),
            answered: AtomicBool::new(false),
        }
    }

    /// As `Service::facts` does.
    fn read(&self) {
        let began_after = self.answered.load(Ordering::SeqCst);
        let (kept, hit) = match self.cache.get(&self.digest) {
            Ok(kept) => (kept, true),
            Err(before) => {
                let kept = Arc::new(Kept::new(self.stored()));
                let generation = match self.fault {
                    Fault::FillWithoutGeneration => self.cache.get(&self.digest).err().unwrap_or(before),
                    Fault::None | Fault::AnswerBeforeForgetting | Fault::ForgetBeforeCommit => before,
                };
                self.cache.fill(generation, &self.digest, &kept);
                (kept, false)
            }
        };
        let accepted = is_good(&kept.owned);
        assert!(!(accepted && began_after), "{ACCEPTED}");
        HITS.fetch_add(usize::from(accepted && hit), Counted::Relaxed);
    }

    /// As `Service::change` does.
    fn write(&self, writer: Writer) {
        let changes = match writer {
            Writer::Expire | Writer::Slide => Changes { keys: vec![self.id.clone()], ..Changes::default() },
            Writer::Suspend => Changes { users: vec![self.user], ..Changes::default() },
        };
        let answer = || match writer {
            Writer::Expire | Writer::Suspend => self.answered.store(true, Ordering::SeqCst),
            Writer::Slide => {}
        };
        match self.fault {
            Fault::None | Fault::FillWithoutGeneration => {
                self.commit(writer);
                self.cache.evict(&changes);
                answer();
            }
            Fault::AnswerBeforeForgetting => {
                self.commit(writer);
                answer();
                self.cache.evict(&changes);
            }
            Fault::ForgetBeforeCommit => {
                self.cache.evict(&changes);
                self.commit(writer);
                answer();
            }
        }
    }

    fn commit(&self, writer: Writer) {
        let mut row = self.row.lock().unwrap();
        match writer {
            Writer::Expire => {
                if let Some(ended) = row.key.expired_at(NOW) {
                    row.key = ended;
                }
            }
            Writer::Suspend => row.owner.status = UserStatus::Suspended,
            Writer::Slide => {
                if let Some(end) = row.key.slide(NOW, Lifetime::days(30)) {
                    row.key.expires_at = end;
                }
            }
        }
    }

    fn stored(&self) -> OwnedKey {
        self.row.lock().unwrap().clone()
    }

    /// When nobody is at work any more, what is kept is what is stored.
    fn check_what_is_left(&self) {
        let stored = self.stored();
        if let Ok(kept) = self.cache.get(&self.digest) {
            assert_eq!(kept.owned.key, stored.key, "{OLD}");
            assert_eq!(kept.owned.owner.status, stored.owner.status, "{OLD}");
        }
    }
}

const NOW: Timestamp = Timestamp::EPOCH;

fn is_good(owned: &OwnedKey) -> bool {
    !owned.key.is_dead(NOW) && owned.owner.is_active()
}

/// A session with an hour left, so that its use makes it slide.
fn session() -> OwnedKey {
    let owner = User {
        id: UserId::from_uuid(uuid::Uuid::nil()),
        username: "alice".parse().unwrap(),
        name: String::new(),
        email: "a@example.com".parse().unwrap(),
        login: UserLogin::Password,
        status: UserStatus::Active,
        roles: Roles::default(),
        created_at: Timestamp::EPOCH,
        updated_at: Timestamp::EPOCH,
        last_seen_at: None,
    };
    let key = ApiKey {
        id: PlainKey::generate(KeyKind::Session).unwrap().id().clone(),
        user_id: owner.id,
        name: None,
        login_type: LoginType::Password,
        scopes: Scopes::all(),
        allow_list: AllowList::all(),
        lifetime: Lifetime::days(1),
        created_at: Timestamp::EPOCH,
        updated_at: Timestamp::EPOCH,
        last_used: None,
        expires_at: NOW.checked_add(Lifetime::hours(1)).unwrap(),
        ended_at: None,
        slides_until: None,
    };
    OwnedKey { key, owner }
}

/// Runs writers, the first on the main thread, beside readers, of which each reads so many times,
/// under the scheduler's schedules. Answers how many there were.
fn run(
    scheduler: impl Scheduler + 'static,
    fault: Fault,
    writers: &'static [Writer],
    readers: usize,
    reads: usize,
) -> usize {
    let mut config = Config::new();
    config.failure_persistence = FailurePersistence::None;
    let stored = session();
    Runner::new(scheduler, config).run(move || {
        let world = Arc::new(World::new(fault, &stored));
        let (first, others) = writers.split_first().unwrap();
        let mut at_work = Vec::new();
        for _ in 0..readers {
            let world = Arc::clone(&world);
            at_work.push(thread::spawn(move || (0..reads).for_each(|_| world.read())));
        }
        for writer in others {
            let world = Arc::clone(&world);
            at_work.push(thread::spawn(move || world.write(*writer)));
        }
        world.write(*first);
        for thread in at_work {
            thread.join().unwrap();
        }
        world.check_what_is_left();
    })
}

/// Under all schedules.
fn every(fault: Fault, writers: &'static [Writer], readers: usize, reads: usize) -> usize {
    run(DfsScheduler::new(None, false), fault, writers, readers, reads)
}

/// What the search in all schedules finds wrong with a fault.
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
    assert!(HITS.load(Counted::Relaxed) > before, "the cache was never of use");
}

#[test]
fn in_every_schedule_of_a_reader_and_a_suspension_nobody_accepts_after_the_success() {
    let schedules = every(Fault::None, &[Writer::Suspend], 1, 2);
    assert!(schedules > 3_000, "{schedules}");
}

#[test]
fn in_every_schedule_of_a_reader_and_a_slide_what_is_left_is_what_is_stored() {
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
fn an_answer_before_the_entry_is_dropped_is_found() {
    assert_eq!(counterexample(Fault::AnswerBeforeForgetting), ACCEPTED);
}

#[test]
fn an_entry_dropped_before_the_commit_is_found() {
    assert_eq!(counterexample(Fault::ForgetBeforeCommit), ACCEPTED);
}

#[test]
fn a_fill_that_does_not_ask_for_the_generation_is_found() {
    assert_eq!(counterexample(Fault::FillWithoutGeneration), ACCEPTED);
}
