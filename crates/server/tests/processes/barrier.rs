//! An expire's success is a barrier for a key that 8 connections use flat out through the server
//! and through each of two embedded verifiers, whatever happens to one of them or to the server.
//!
//! That no call begun after the 204 is accepted is what counts here; [`Stage`] sees to it. The times
//! are asserted with much room, since tests share the machine with others: `cargo xtask bench
//! barrier` measures them, with their goals.

use std::path::Path;
use std::time::Duration;

use keyward_test_support::barrier::{Expired, LEASE, Stage};
use keyward_test_support::{Backend, TestDatabase, judge_if_asked};

use crate::PROGRAM;

/// What leads this program to [`judge`].
const JUDGE: &[&str] = &["--exact", "barrier::judge", "--ignored"];

/// How much longer than it should an expire may take on a machine that is busy with other tests.
const ROOM: Duration = Duration::from_secs(3);

#[test]
#[ignore = "a process of the other tests; by itself it does nothing"]
fn judge() {
    judge_if_asked();
}

/// Makes of each function a module of its name with a test for each database.
macro_rules! on_both {
    ($(fn $name:ident($stage:ident: Stage) $body:block)*) => {$(
        mod $name {
            use super::*;

            fn body(mut $stage: Stage) $body

            #[test]
            fn sqlite() {
                on(Backend::Sqlite, 1, body);
            }

            #[test]
            fn postgres() {
                on(Backend::Postgres, 1, body);
            }
        }
    )*};
}

on_both! {
    fn none_is_accepted_after_the_204(stage: Stage) {
        let all: Vec<_> = (0..200).map(|_| stage.expire_undisturbed()).collect();
        report(&stage, "undisturbed", &all, Duration::ZERO);
        all_accounted_for(&all, 0);
        // One that gets no turn on a busy machine lapses rightly.
        let told = all.iter().filter(|expired| expired.lapsed == 0).count();
        assert!(told >= 180, "only {told} of 200 expires were confirmed by every verifier");
    }

    fn none_is_accepted_by_a_verifier_that_was_frozen(stage: Stage) {
        let all: Vec<_> = (0..20)
            .map(|turn| {
                // Longer than a lease, now and then by far.
                let at_least = if turn % 10 == 0 { Duration::from_secs(3) } else { Duration::ZERO };
                stage.expire_while_frozen(at_least)
            })
            .collect();
        report(&stage, "one frozen", &all, LEASE);
        all_accounted_for(&all, 1);
        works_again(&mut stage);
    }

    fn none_is_accepted_by_a_verifier_that_was_cut_off(stage: Stage) {
        let refused: Vec<_> = (0..10).map(|_| stage.expire_while_cut_off()).collect();
        report(&stage, "one cut off", &refused, LEASE);
        all_accounted_for(&refused, 1);
        works_again(&mut stage);
        let swallowed: Vec<_> = (0..10).map(|_| stage.expire_while_swallowed()).collect();
        report(&stage, "one in a black hole", &swallowed, LEASE);
        all_accounted_for(&swallowed, 1);
        works_again(&mut stage);
        // It connects again, in time or not.
        let cut: Vec<_> = (0..20).map(|_| stage.expire_and_cut()).collect();
        report(&stage, "one reset", &cut, LEASE);
        all_accounted_for(&cut, 0);
        works_again(&mut stage);
    }

    fn none_is_accepted_after_the_204_of_a_server_that_was_killed_and_started_again(stage: Stage) {
        let typical = stage.expire_undisturbed().took;
        let mut all = Vec::new();
        let mut before = 0;
        for turn in 0..10 {
            let (expired, succeeded) = stage.expire_and_kill(typical * turn / 5);
            before += usize::from(succeeded);
            all.push(expired);
            works_again(&mut stage);
        }
        println!("{before} of {} expires succeeded before the kill", all.len());
        for _ in 0..3 {
            all.push(stage.expire_and_kill_behind_the_barrier());
            works_again(&mut stage);
        }
        report(&stage, "server killed", &all, LEASE);
    }

    fn none_is_accepted_after_the_204_of_a_server_that_was_stopped_and_started_again(stage: Stage) {
        let mut all = Vec::new();
        for _ in 0..5 {
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
    let slowest = all.iter().map(|expired| expired.took).max().unwrap();
    let calls: u64 = all.iter().map(|expired| expired.calls).sum();
    let lapsed: u64 = all.iter().map(|expired| expired.lapsed).sum();
    let database = stage.backend();
    println!("{database:?}, {what}: {} keys, {calls} calls, {lapsed} lapsed; slowest expire {slowest:?}", all.len());
    assert!(slowest < limit + ROOM, "{what}: {slowest:?}");
}

/// Every verifier was heard or waited for, and at least so many were waited for until their lease
/// had run out.
#[track_caller]
fn all_accounted_for(all: &[Expired], lapsed: u64) {
    for expired in all {
        assert_eq!(expired.confirmed + expired.lapsed, 2, "{expired:?}");
        assert!(expired.lapsed >= lapsed, "{expired:?}");
    }
}

/// After a disturbance both verifiers confirm again. One that gets no turn on a busy machine lapses
/// rightly, so that it is asked more than once.
#[track_caller]
fn works_again(stage: &mut Stage) {
    let all: Vec<_> = (0..3).map(|_| stage.expire_undisturbed()).collect();
    all_accounted_for(&all, 0);
    assert!(all.iter().any(|expired| expired.confirmed == 2), "{all:?}");
}
