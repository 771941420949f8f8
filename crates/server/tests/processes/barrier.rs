//! The success of an expire is a barrier, whatever happens to a verifier or the server. 8 connections
//! use the key without pause through the server and through each of two embedded verifiers.
//!
//! No call that begins after the 204 may be accepted; [`Stage`] asserts that. Times have a large
//! margin, because tests share the machine with others; `cargo xtask bench barrier` measures them
//! against goals.

use std::path::Path;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use keyward_rig::barrier::{Expired, LEASE, Stage};
use keyward_rig::run_as_verifier_if_asked;
use keyward_test_support::{Backend, TestDatabase};

use crate::PROGRAM;

/// Arguments that make this program run [`verifier_process`].
const VERIFIER_PROCESS: &[&str] = &["--exact", "barrier::verifier_process", "--ignored"];

/// Extra time for an expire on a machine and a disk that are busy with other tests.
const MARGIN: Duration = Duration::from_secs(10);

/// Locked for writing by a test that needs the whole machine, and for reading by tests that mostly
/// wait. Two tests that use keys without pause at the same time would take more than twice as long.
static MACHINE: RwLock<()> = RwLock::new(());

#[test]
#[ignore = "other tests start it as a process; alone it does nothing"]
fn verifier_process() {
    run_as_verifier_if_asked();
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
        // A verifier that gets no processor time lets its lease run out, which is correct.
        let confirmed = all.iter().filter(|expired| expired.lapsed == 0).count();
        assert!(confirmed >= 180, "only {confirmed} of 200 expires were confirmed by every verifier");
    });
}

#[test]
fn none_is_accepted_after_the_204_of_either_of_two_servers_on_postgres() {
    let _among_others = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
    on(Backend::Postgres, 2, |mut stage| {
        // Each server waits for its own verifier, and until the other server's leases have run out.
        let all: Vec<_> = (0..10).map(|_| stage.expire_undisturbed()).collect();
        report(&stage, "two servers", &all, LEASE);
        all_accounted_for(&all, 1, 0);
        let frozen: Vec<_> = (0..4).map(|_| stage.expire_while_frozen(Duration::ZERO)).collect();
        report(&stage, "two servers, one verifier frozen", &frozen, LEASE);
        all_accounted_for(&frozen, 1, 0);
        let cut: Vec<_> = (0..4).map(|_| stage.expire_while_cut_off()).collect();
        report(&stage, "two servers, one verifier cut off", &cut, LEASE);
        all_accounted_for(&cut, 1, 0);
        // One server is killed. The other one and its verifier continue.
        let killed: Vec<_> = (0..4).map(|_| stage.expire_and_kill(Duration::from_millis(5)).0).collect();
        report(&stage, "two servers, one killed", &killed, LEASE);
    });
}

/// For each function of these names, makes a module of its name with one test per database.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            use super::*;

            #[test]
            fn sqlite() {
                let _among_others = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
                on(Backend::Sqlite, 1, super::$name);
            }

            #[test]
            fn postgres() {
                let _among_others = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
                on(Backend::Postgres, 1, super::$name);
            }
        }
    )*};
}

on_both! {
    none_is_accepted_by_a_verifier_that_was_frozen,
    none_is_accepted_by_a_verifier_that_was_cut_off,
    none_is_accepted_after_the_204_of_a_server_that_was_killed_and_started_again,
    none_is_accepted_after_the_204_of_a_server_that_was_stopped_and_started_again,
}

fn none_is_accepted_by_a_verifier_that_was_frozen(mut stage: Stage) {
    let all: Vec<_> = (0..20)
        .map(|turn| {
            // Longer than a lease; every tenth time much longer.
            let at_least = if turn % 10 == 0 { Duration::from_secs(3) } else { Duration::ZERO };
            stage.expire_while_frozen(at_least)
        })
        .collect();
    report(&stage, "one frozen", &all, LEASE);
    all_accounted_for(&all, 2, 1);
    works_again(&mut stage);
}

fn none_is_accepted_by_a_verifier_that_was_cut_off(mut stage: Stage) {
    let refused: Vec<_> = (0..5).map(|_| stage.expire_while_cut_off()).collect();
    report(&stage, "one cut off", &refused, LEASE);
    all_accounted_for(&refused, 2, 1);
    works_again(&mut stage);
    let swallowed: Vec<_> = (0..5).map(|_| stage.expire_while_swallowed()).collect();
    report(&stage, "one in a black hole", &swallowed, LEASE);
    all_accounted_for(&swallowed, 2, 1);
    works_again(&mut stage);
    // It reconnects, in time or not.
    let cut: Vec<_> = (0..10).map(|_| stage.expire_and_cut()).collect();
    report(&stage, "one reset", &cut, LEASE);
    all_accounted_for(&cut, 2, 0);
    works_again(&mut stage);
}

fn none_is_accepted_after_the_204_of_a_server_that_was_killed_and_started_again(mut stage: Stage) {
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

fn none_is_accepted_after_the_204_of_a_server_that_was_stopped_and_started_again(mut stage: Stage) {
    let mut all = Vec::new();
    for _ in 0..3 {
        let (expired, _) = stage.expire_and_stop();
        all.push(expired);
        works_again(&mut stage);
    }
    report(&stage, "server stopped", &all, LEASE);
}

fn on(backend: Backend, servers: usize, body: impl FnOnce(Stage)) {
    if let Some(database) = TestDatabase::create(backend) {
        body(Stage::start(Path::new(PROGRAM), VERIFIER_PROCESS, database, servers));
    }
}

/// Prints the duration of the expires and asserts the slowest.
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
    assert!(slowest < limit + MARGIN, "{what}: {slowest:?}");
}

/// Asserts that each of the server's verifiers confirmed or let its lease run out, and that at least
/// `lapsed` did the latter.
#[track_caller]
fn all_accounted_for(all: &[Expired], verifiers: u64, lapsed: u64) {
    for expired in all {
        assert_eq!(expired.confirmed + expired.lapsed, verifiers, "{expired:?}");
        assert!(expired.lapsed >= lapsed, "{expired:?}");
    }
}

/// Asserts that both verifiers confirm again after a disturbance. It tries three times, because a
/// verifier that gets no processor time correctly lets its lease run out.
#[track_caller]
fn works_again(stage: &mut Stage) {
    let all: Vec<_> = (0..3).map(|_| stage.expire_undisturbed()).collect();
    all_accounted_for(&all, 2, 0);
    assert!(all.iter().any(|expired| expired.confirmed == 2), "{all:?}");
}
