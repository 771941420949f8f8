//! The searches: all states that a world of this size can come to.

use stateright::{Checker as _, HasDiscoveries, Model as _};

use super::model::{Fault, Peers};
use super::steps::PROMISE;

/// A beat and a lease of one tick, and a server that comes onto the list twice.
const WORLD: Peers = Peers { fault: Fault::None, lease: 1, holds: 1, stays: 2 };

/// Is the promise broken with the fault?
fn breaks(model: Peers) -> bool {
    let checker = model.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    checker.discovery(PROMISE).is_some()
}

#[test]
fn nobody_accepts_after_the_success_that_another_server_has_told() {
    let checker = WORLD.checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
    let (states, unique) = (checker.state_count(), checker.unique_state_count());
    assert!(unique > 400_000, "{unique} states, {states} steps");
}

/// One stay on the list is enough to show a fault.
const SMALLER: Peers = Peers { stays: 1, ..WORLD };

#[test]
fn every_fault_between_servers_is_found() {
    for fault in [
        Fault::GivenUnlisted,
        Fault::LogNotReadAnew,
        Fault::LogBeforeList,
        Fault::StayNotAskedAgain,
        Fault::LeftWithLeases,
        Fault::HoldsFromWritten,
        Fault::HoldsForEver,
        Fault::OthersNotWaitedFor,
        Fault::ListBeforeCommit,
        Fault::WaitTooShort,
        Fault::RemovedThoughMoved,
    ] {
        assert!(breaks(Peers { fault, ..SMALLER }), "{fault:?}");
    }
    // A lease of one tick is over when the beat is.
    let fault = Fault::RemovedWithLeases;
    assert!(breaks(Peers { fault, lease: 2, ..SMALLER }), "{fault:?}");
}
