//! Random histories in which judgements with and without the cache must be equal. A failing history
//! is reduced to the shortest one that fails.
//!
//! A judgement without the cache uses the current row, the locks as they were requested, and the domain's
//! rule. Most histories run on SQLite, because only a server on SQLite has a cache. Those with an embedded
//! verifier run on both databases.

mod act;
mod lock_act;

use std::thread;

use proptest::strategy::{Just, Strategy};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRunner};
use proptest::{collection, prop_oneof};

use keyward_test_database::Backend;

use crate::embedded::Embedded;
use crate::world::World;
use act::{Act, History, Outside};
use lock_act::lock_act;

/// An index into the scopes, allow lists, keys, roles or needs, modulo their number.
fn index() -> impl Strategy<Value = usize> {
    0..64_usize
}

/// Acts on both databases. An embedded verifier hears of them before they return.
fn common_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        40 => (index(), index()).prop_map(|(key, need)| Act::Ask { key, need }),
        15 => index().prop_map(|key| Act::Authenticate { key }),
        15 => (index(), index(), 1..10_000_i64).prop_map(|(scopes, allow_list, minutes)| Act::CreateToken { scopes, allow_list, minutes }),
        6 => Just(Act::CreateSession),
        8 => index().prop_map(|key| Act::Expire { key }),
        4 => index().prop_map(|key| Act::Delete { key }),
        4 => index().prop_map(|key| Act::Revoke { key }),
        3 => index().prop_map(|key| Act::LogOut { key }),
        5 => Just(Act::Suspend),
        5 => Just(Act::Activate),
        4 => index().prop_map(|roles| Act::EditRoles { roles }),
        2 => Just(Act::DeleteUser),
        12 => (1..3_000_i64).prop_map(|minutes| Act::Wait { minutes }),
        2 => Just(Act::WriteUses),
        1 => Just(Act::Retain),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        126 => common_act(),
        4 => lock_act(),
        2 => (index(), prop_oneof![Just(Outside::Expire), Just(Outside::Suspend), Just(Outside::Narrow), Just(Outside::Delete)])
            .prop_map(|(key, what)| Act::FromOutside { key, what }),
    ]
}

/// Acts with many locks.
fn acts_with_locks() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![2 => common_act(), 1 => lock_act()];
    (index(), collection::vec(act, 4..14)).prop_map(|(scopes, rest)| {
        let mut acts = vec![Act::CreateToken { scopes, allow_list: 0, minutes: 9_000 }];
        acts.extend(rest);
        acts
    })
}

/// Several acts, rarely with a new password, because hashing is slow.
fn acts() -> impl Strategy<Value = Vec<Act>> {
    let rare = prop_oneof![1_500 => act(), 1 => Just(Act::SetPassword)];
    (collection::vec(rare, 3..9)).prop_map(|rest| {
        // A history without a key tests nothing.
        let mut acts = vec![Act::CreateToken { scopes: 0, allow_list: 0, minutes: 1_000 }];
        acts.extend(rest);
        acts
    })
}

/// Runs `cases` random histories, with an embedded verifier or without. Returns the shortest one that
/// fails, and the reason.
fn search(
    backend: Backend,
    embedded: bool,
    cases: u32,
    acts: impl Strategy<Value = Vec<Act>>,
) -> Result<(), TestError<Vec<Act>>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let Some(world) = runtime.block_on(World::on(backend)) else { return Ok(()) };
    let verifier = runtime.block_on(async { embedded.then(|| Embedded::start(&world)) });
    let config =
        Config { cases, failure_persistence: None, rng_algorithm: RngAlgorithm::XorShift, ..Config::default() };
    TestRunner::new(config).run(&acts, |acts| {
        let run = async {
            let mut history = History::begin(&world, verifier.as_ref()).await;
            for act in acts {
                history.act(act).await?;
            }
            history.ask_all().await
        };
        runtime.block_on(run).map_err(TestCaseError::fail)
    })
}

#[test]
fn with_and_without_the_cache_the_answers_are_the_same_over_10_000_histories() {
    // Two databases run in parallel, because each has only one writer.
    let halves = [(); 2].map(|()| thread::spawn(|| search(Backend::Sqlite, false, 5_000, acts())));
    for half in halves {
        if let Err(failed) = half.join().unwrap() {
            panic!("{failed}");
        }
    }
}

#[test]
fn a_key_is_locked_and_limited_at_every_door_as_the_locks_say_on_both_databases() {
    let searches = [(Backend::Sqlite, 400), (Backend::Postgres, 100)]
        .map(|(backend, cases)| thread::spawn(move || search(backend, true, cases, acts_with_locks())));
    for searched in searches {
        if let Err(failed) = searched.join().unwrap() {
            panic!("{failed}");
        }
    }
}

#[test]
fn a_change_that_drops_nothing_from_the_cache_is_found() {
    let acts = acts().prop_flat_map(|acts| {
        let last = acts.len();
        (Just(acts), 0..=last, index()).prop_map(|(mut acts, at, key)| {
            acts.insert(at, Act::Unnoticed { key });
            acts
        })
    });
    let Err(TestError::Fail(_, shortest)) = search(Backend::Sqlite, false, 2_000, acts) else {
        panic!("the fault is not found")
    };
    assert!(shortest.iter().any(|act| matches!(act, Act::Unnoticed { .. })), "{shortest:?}");
}
