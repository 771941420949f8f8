//! Searches all states that a model of this size can reach.

use stateright::{Checker as _, HasDiscoveries, Model as _};

use super::model::{Fault, Peers};
use super::steps::PROMISE;

/// A heartbeat and a lease of one tick each, and up to two registrations.
const WORLD: Peers = Peers { fault: Fault::None, lease: 1, holds: 1, registrations: 2 };

/// Whether the fault breaks the promise.
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

/// One registration is enough to show a fault.
const SMALLER: Peers = Peers { registrations: 1, ..WORLD };

#[test]
fn every_fault_between_servers_is_found() {
    for fault in [
        Fault::GrantedUnregistered,
        Fault::LogNotRead,
        Fault::LogBeforeRegistration,
        Fault::RegistrationNotRechecked,
        Fault::DeregisteredWithLeases,
        Fault::ValidFromWritten,
        Fault::NeverExpires,
        Fault::NoWaitForOthers,
        Fault::ListBeforeCommit,
        Fault::WaitTooShort,
        Fault::RemovedDespiteHeartbeat,
    ] {
        assert!(breaks(Peers { fault, ..SMALLER }), "{fault:?}");
    }
    // A lease of one tick ends with the heartbeat, so this fault needs a longer one.
    let fault = Fault::RemovedWithLeases;
    assert!(breaks(Peers { fault, lease: 2, ..SMALLER }), "{fault:?}");
}
