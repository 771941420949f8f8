//! An expire's success is a barrier for a key that 8 connections use flat out through the server
//! and through each of two embedded verifiers, whatever happens to one of them or to the server.
//!
//! That no call begun after the 204 is accepted is what counts here; [`Stage`] sees to it. The times
//! are asserted with much room, since tests share the machine with others: `cargo xtask bench
//! barrier` measures them, with their goals.

use std::path::Path;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use keyward_test_support::barrier::{Expired, LEASE, Stage};
use keyward_test_support::{Backend, TestDatabase, judge_if_asked};

use crate::PROGRAM;

/// What leads this program to [`judge`].
const JUDGE: &[&str] = &["--exact", "barrier::judge", "--ignored"];

/// How much longer than it should an expire may take on a machine, and a disk, that are busy with
/// other tests.
const ROOM: Duration = Duration::from_secs(10);

/// Held for writing by a test that needs the whole machine, and for reading by those that wait much:
/// two that use keys flat out at once take more than twice as long.
static MACHINE: RwLock<()> = RwLock::new(());

#[test]
#[ignore = "a process of the other tests; by itself it does nothing"]
fn judge() {
    judge_if_asked();
}

#[test]
fn none_is_accepted_after_the_204_on_sqlite() {
    undisturbed(Backend::Sqlite);
}

#[test]
fn none_is_accepted_after_the_204_on_postgres() {
    undisturbed(Backend::Postgres);
}

fn undisturbed(backend: Backend) {
    let _alone = MACHINE.write().unwrap_or_else(PoisonError::into_inner);
    on(backend, 1, |mut stage| {
        let all: Vec<_> = (0..200).map(|_| stage.expire_undisturbed()).collect();
        report(&stage, "undisturbed", &all, Duration::ZERO);
        all_accounted_for(&all, 2, 0);
        // One that gets no turn on a busy machine lapses rightly.
        let told = all.iter().filter(|expired| expired.lapsed == 0).count();
        assert!(told >= 180, "only {told} of 200 expires were confirmed by every verifier");
    });
}

#[test]
fn none_is_accepted_after_the_204_of_either_of_two_servers_on_postgres() {
    let _among_others = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
    on(Backend::Postgres, 2, |mut stage| {
        // Each waits for its own verifier, and for a lease of the other's.
        let all: Vec<_> = (0..10).map(|_| stage.expire_undisturbed()).collect();
        report(&stage, "two servers", &all, LEASE);
        all_accounted_for(&all, 1, 0);
        let frozen: Vec<_> = (0..4).map(|_| stage.expire_while_frozen(Duration::ZERO)).collect();
        report(&stage, "two servers, one verifier frozen", &frozen, LEASE);
        all_accounted_for(&frozen, 1, 0);
        let cut: Vec<_> = (0..4).map(|_| stage.expire_while_cut_off()).collect();
        report(&stage, "two servers, one verifier cut off", &cut, LEASE);
        all_accounted_for(&cut, 1, 0);
        // One server is killed, and the other, with its verifier, goes on.
        let killed: Vec<_> = (0..4).map(|_| stage.expire_and_kill(Duration::from_millis(5)).0).collect();
        report(&stage, "two servers, one killed", &killed, LEASE);
    });
}

/// Makes of each function a module of its name with a test for each database.
macro_rules! on_both {
    ($(fn $name:ident($stage:ident: Stage) $body:block)*) => {$(
        mod $name {
            use super::*;

            fn body(mut $stage: Stage) $body

            #[test]
            fn sqlite() {
                let _among_others = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
                on(Backend::Sqlite, 1, body);
            }

            #[test]
            fn postgres() {
                let _among_others = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
                on(Backend::Postgres, 1, body);
            }
        }
    )*};
}

on_both! {
    fn none_is_accepted_by_a_verifier_that_was_frozen(stage: Stage) {
        let all: Vec<_> = (0..20)
            .map(|turn| {
                // Longer than a lease, now and then by far.
                let at_least = if turn % 10 == 0 { Duration::from_secs(3) } else { Duration::ZERO };
                stage.expire_while_frozen(at_least)
            })
            .collect();
        report(&stage, "one frozen", &all, LEASE);
        all_accounted_for(&all, 2, 1);
        works_again(&mut stage);
    }

    fn none_is_accepted_by_a_verifier_that_was_cut_off(stage: Stage) {
        let refused: Vec<_> = (0..5).map(|_| stage.expire_while_cut_off()).collect();
        report(&stage, "one cut off", &refused, LEASE);
        all_accounted_for(&refused, 2, 1);
        works_again(&mut stage);
        let swallowed: Vec<_> = (0..5).map(|_| stage.expire_while_swallowed()).collect();
        report(&stage, "one in a black hole", &swallowed, LEASE);
        all_accounted_for(&swallowed, 2, 1);
        works_again(&mut stage);
        // It connects again, in time or not.
        let cut: Vec<_> = (0..10).map(|_| stage.expire_and_cut()).collect();
        report(&stage, "one reset", &cut, LEASE);
        all_accounted_for(&cut, 2, 0);
        works_again(&mut stage);
    }

    fn none_is_accepted_after_the_204_of_a_server_that_was_killed_and_started_again(stage: Stage) {
        let typical = stage.expire_undisturbed().took;
        let mut all = Vec::new();
        let mut before = 0;
        for turn in 0..6 {
            let (expired, succeeded) = stage.expire_and_kill(typical * turn / 3);
            before += usize::from(succeeded);
            all.push(expired);
            works_again(&mut stage);
        }
        println!("{before} of {} expires succeeded before the kill", all.len());
        for _ in 0..2 {
            all.push(stage.expire_and_kill_behind_the_barrier());
            works_again(&mut stage);
        }
        report(&stage, "server killed", &all, LEASE);
    }

    fn none_is_accepted_after_the_204_of_a_server_that_was_stopped_and_started_again(stage: Stage) {
        let mut all = Vec::new();
        for _ in 0..3 {
            let (expired, _) = stage.expire_and_stop();
            all.push(expired);
            works_again(&mut stage);
        }
        report(&stage, "server stopped", &all, LEASE);
    }
}

fn on(backend: Backend, servers: usize, body: impl FnOnce(Stage)) {
    if let Some(database) = TestDatabase::create(backend) {
        body(Stage::start(Path::new(PROGRAM), JUDGE, database, servers));
    }
}

/// Says what an expire cost, and sees to it that none took much longer than it should.
#[track_caller]
fn report(stage: &Stage, what: &str, all: &[Expired], limit: Duration) {
    let mut times: Vec<_> = all.iter().map(|expired| expired.took).collect();
    times.sort();
    let (median, slowest) = (times[times.len() / 2], times[times.len() - 1]);
    let calls: u64 = all.iter().map(|expired| expired.calls).sum();
    let lapsed: u64 = all.iter().map(|expired| expired.lapsed).sum();
    let database = stage.backend();
    println!(
        "{database:?}, {what}: {} keys, {calls} calls, {lapsed} lapsed; an expire took {median:?}, at most {slowest:?}",
        all.len()
    );
    assert!(slowest < limit + ROOM, "{what}: {slowest:?}");
}

/// Every verifier of the server was heard or waited for, and at least so many were waited for until their lease
/// had run out.
#[track_caller]
fn all_accounted_for(all: &[Expired], verifiers: u64, lapsed: u64) {
    for expired in all {
        assert_eq!(expired.confirmed + expired.lapsed, verifiers, "{expired:?}");
        assert!(expired.lapsed >= lapsed, "{expired:?}");
    }
}

/// After a disturbance both verifiers confirm again. One that gets no turn on a busy machine lapses
/// rightly, so that it is asked more than once.
#[track_caller]
fn works_again(stage: &mut Stage) {
    let all: Vec<_> = (0..3).map(|_| stage.expire_undisturbed()).collect();
    all_accounted_for(&all, 2, 0);
    assert!(all.iter().any(|expired| expired.confirmed == 2), "{all:?}");
}
