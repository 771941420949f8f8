//! The rules of the protocol, as the program implements them and with each fault.

use super::state::{Expire, Giver, Heartbeat, Poll, State};

/// An intentional deviation from the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// A server grants a lease while it is not registered.
    GrantedUnregistered,
    /// A poll is answered without reading the change log after the poll arrived.
    LogNotRead,
    /// For a poll, the server reads the change log before it registers.
    LogBeforeRegistration,
    /// The server does not check when it grants the lease that its registration was not interrupted.
    RegistrationNotRechecked,
    /// A server deregisters although one of its leases may last.
    DeregisteredWithLeases,
    /// A heartbeat is valid from when the server knows that it is written, not from when it started.
    ValidFromWritten,
    /// A heartbeat never expires.
    NeverExpires,
    /// The changer does not wait for leases of other servers.
    NoWaitForOthers,
    /// The list of servers is read before the commit.
    ListBeforeCommit,
    /// The changer waits one tick less than a lease.
    WaitTooShort,
    /// A server is removed from the list as soon as its heartbeat has expired, without waiting for leases.
    RemovedWithLeases,
    /// A server is removed from the list although its heartbeat has changed since.
    RemovedDespiteHeartbeat,
}

/// The size of the searched model. Times are in ticks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peers {
    pub fault: Fault,
    pub lease: u8,
    /// How long a heartbeat is valid.
    pub holds: u8,
    /// Maximum number of registrations of the server.
    pub registrations: u8,
}

impl Peers {
    /// The current registration: `Cluster::registration`.
    pub(super) fn registration(&self, giver: &Giver) -> Option<u8> {
        let holds = giver.until > 0 || self.fault == Fault::NeverExpires && giver.registration > 0;
        holds.then_some(giver.registration)
    }

    /// Records a written heartbeat: `Cluster::record_heartbeat`.
    pub(super) fn record_heartbeat(&self, giver: &mut Giver, age: u8, listed: bool) {
        if !listed {
            giver.registration += 1;
        }
        let age = if self.fault == Fault::ValidFromWritten { 0 } else { age };
        giver.until = self.holds.saturating_sub(age);
        giver.heartbeat = Heartbeat::None;
    }

    /// Whether the poll may be answered with a lease.
    pub(super) fn may_grant(&self, giver: &Giver, registration: Option<u8>) -> bool {
        match self.fault {
            Fault::GrantedUnregistered => true,
            Fault::RegistrationNotRechecked => registration.is_some(),
            _ => registration.is_some() && registration == self.registration(giver),
        }
    }

    /// Whether a server may deregister.
    pub(super) fn may_deregister(&self, giver: &Giver) -> bool {
        giver.granted.is_none() || self.fault == Fault::DeregisteredWithLeases
    }

    /// Whether the other server has lapsed: `PeerState::lapsed_servers`.
    pub(super) fn has_lapsed(&self, unchanged_for: Option<u8>) -> bool {
        let limit = if self.fault == Fault::RemovedWithLeases { self.holds } else { self.holds + self.lease };
        unchanged_for.is_some_and(|unchanged_for| unchanged_for >= limit)
    }

    /// Reads the list of servers: `PeerState::observe`. Returns whether another server grants leases.
    pub(super) fn observe(&self, state: &mut State) -> bool {
        let State { row, changer, .. } = state;
        changer.unchanged_for =
            row.listed.then(|| if row.heartbeat_changed { 0 } else { changer.unchanged_for.unwrap_or(0) });
        row.heartbeat_changed = false;
        row.listed && !self.has_lapsed(changer.unchanged_for)
    }

    /// Whether the expire may succeed.
    pub(super) fn is_over(&self, expire: Expire) -> bool {
        match expire {
            Expire::Committed { ago, others: Some(others) } => {
                let wait = if self.fault == Fault::WaitTooShort { self.lease - 1 } else { self.lease };
                !others || ago >= wait || self.fault == Fault::NoWaitForOthers
            }
            Expire::None | Expire::ListRead { .. } | Expire::Committed { .. } | Expire::Succeeded { .. } => false,
        }
    }

    /// The server's next step for a poll.
    pub(super) fn advance(&self, giver: &mut Giver, dead: bool, poll: Poll) -> Poll {
        let log_first = self.fault == Fault::LogBeforeRegistration;
        let mut read_log = || giver.read_change |= dead && self.fault != Fault::LogNotRead;
        match poll {
            Poll::Sent { age } => {
                if log_first {
                    read_log();
                }
                let registration = if log_first { None } else { self.registration(giver) };
                Poll::Registered { age, registration }
            }
            Poll::Registered { age, registration } if log_first => {
                Poll::ChangeLogRead { age, registration: registration.or(self.registration(giver)) }
            }
            Poll::Registered { age, registration } => {
                read_log();
                Poll::ChangeLogRead { age, registration }
            }
            Poll::ChangeLogRead { age, registration } => {
                let lease = self.may_grant(giver, registration);
                if lease {
                    giver.granted = Some(self.lease);
                }
                Poll::Answered { age, lease, has_change: giver.read_change }
            }
            Poll::None | Poll::Answered { .. } => poll,
        }
    }
}
