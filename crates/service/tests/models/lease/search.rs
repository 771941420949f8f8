//! Searches all states that models of these sizes can reach.

use stateright::{Checker as _, HasDiscoveries, Model as _};

use super::model::{Fault, Lease};
use super::steps::PROMISE;

/// One verifier, a lease of two ticks, and two changes, of which the server stores one.
const ONE: Lease = Lease {
    fault: Fault::None,
    lease: 2,
    verifiers: 1,
    changes: 2,
    window: 1,
    starts: 1,
    mishaps: true,
    strays: false,
};

/// Two verifiers without failures; every step may take any time.
const TWO: Lease = Lease { lease: 1, verifiers: 2, changes: 1, mishaps: false, ..ONE };

/// Searches all states, and asserts that the promise holds and that the interesting states occur.
fn holds(model: Lease, at_least: usize) {
    let checker = model.checker().threads(2).spawn_bfs().join();
    let (states, unique) = (checker.state_count(), checker.unique_state_count());
    checker.assert_properties();
    assert!(unique > at_least, "{unique} states, {states} steps");
}

/// Whether the fault breaks the promise.
fn breaks(model: Lease) -> bool {
    let checker = model.checker().finish_when(HasDiscoveries::AnyFailures).spawn_dfs().join();
    checker.discovery(PROMISE).is_some()
}

#[test]
fn nobody_accepts_after_the_success_though_a_verifier_is_killed_and_answers_are_late_or_lost() {
    holds(ONE, 50_000);
}

#[test]
fn nobody_accepts_after_the_success_though_the_server_is_killed_and_started_again() {
    holds(Lease { starts: 2, ..ONE }, 400_000);
}

#[test]
fn nobody_accepts_after_the_success_though_polls_come_in_that_were_given_up() {
    holds(Lease { strays: true, ..ONE }, 300_000);
}

#[test]
fn nobody_accepts_after_the_success_where_there_are_two_verifiers() {
    holds(TWO, 1_000);
}

#[test]
fn every_fault_of_the_verifier_is_found() {
    for fault in [
        Fault::LeaseFromReceipt,
        Fault::LeaseBeforeApplying,
        Fault::AcknowledgedBeforeApplying,
        Fault::KeptDespiteChange,
        Fault::LeaseReadAfterLookUp,
        Fault::GapIgnored,
    ] {
        assert!(breaks(Lease { fault, ..ONE }), "{fault:?}");
    }
    let fault = Fault::KeptFromAnotherStart;
    assert!(breaks(Lease { fault, starts: 2, ..ONE }), "{fault:?}");
}

#[test]
fn every_fault_of_the_server_is_found() {
    for fault in [
        Fault::CountedFromFirstAnswer,
        Fault::SentIsAcknowledged,
        Fault::AnswerBeforeBarrier,
        Fault::NumberedBeforeEvicted,
        Fault::NumberedBeforeCommit,
        Fault::NumberTakenAfterRead,
    ] {
        assert!(breaks(Lease { fault, ..ONE }), "{fault:?}");
    }
    for model in [
        Lease { fault: Fault::NoWaitAfterStart, starts: 2, ..ONE },
        Lease { fault: Fault::CountedFromArrival, strays: true, ..ONE },
        Lease { fault: Fault::WaitsForOne, ..TWO },
    ] {
        assert!(breaks(model), "{:?}", model.fault);
    }
}

/// Documents two precautions of the program that the promise does not depend on.
#[test]
fn the_clock_after_the_look_up_and_counting_from_the_answer_are_more_than_the_promise_needs() {
    assert!(!breaks(Lease { fault: Fault::ClockReadBeforeLookUp, ..ONE }));
    let fault = Fault::CountedFromLatestArrival;
    assert!(!breaks(Lease { fault, changes: 1, strays: true, ..ONE }));
}
