//! The rules, each as the program has it, and as it is with a fault.

use super::state::{Beat, Expire, Giver, Poll, State};

/// Where somebody does otherwise than the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// A lease is given by a server that is not on the list.
    GivenUnlisted,
    /// A poll is answered by what was read in the log before it came in.
    LogNotReadAnew,
    /// A poll reads the log, and then sees to it that the server is on the list.
    LogBeforeList,
    /// Whether the stay on the list was unbroken is not asked when the lease is given.
    StayNotAskedAgain,
    /// A server leaves the list although a lease of its may run.
    LeftWithLeases,
    /// A beat holds from when it is known to be written.
    HoldsFromWritten,
    /// A beat holds without end.
    HoldsForEver,
    /// Nobody waits for leases that others gave.
    OthersNotWaitedFor,
    /// The list is read before the commit.
    ListBeforeCommit,
    /// Leases of others are waited for one tick too short.
    WaitTooShort,
    /// A server is taken off the list as soon as its beat has stood still for as long as it holds.
    RemovedWithLeases,
    /// A server is taken off the list although its beat has moved since.
    RemovedThoughMoved,
}

/// How large a world is searched. Times are in ticks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peers {
    pub fault: Fault,
    pub lease: u8,
    /// How long a beat holds.
    pub holds: u8,
    /// How often the server can come onto the list.
    pub stays: u8,
}

impl Peers {
    /// `Peers::stay`.
    pub(super) fn stay(&self, giver: &Giver) -> Option<u8> {
        let holds = giver.until > 0 || self.fault == Fault::HoldsForEver && giver.stay > 0;
        holds.then_some(giver.stay)
    }

    /// `Peers::beaten`.
    pub(super) fn beaten(&self, giver: &mut Giver, age: u8, listed: bool) {
        if !listed {
            giver.stay += 1;
        }
        let age = if self.fault == Fault::HoldsFromWritten { 0 } else { age };
        giver.until = self.holds.saturating_sub(age);
        giver.beat = Beat::None;
    }

    /// May the poll be answered with a lease?
    pub(super) fn may_grant(&self, giver: &Giver, noted: Option<u8>) -> bool {
        match self.fault {
            Fault::GivenUnlisted => true,
            Fault::StayNotAskedAgain => noted.is_some(),
            _ => noted.is_some() && noted == self.stay(giver),
        }
    }

    /// May a server leave the list?
    pub(super) fn may_leave(&self, giver: &Giver) -> bool {
        giver.given.is_none() || self.fault == Fault::LeftWithLeases
    }

    /// `Seen::gone`: as long as the beat holds, and a lease after it.
    pub(super) fn is_gone(&self, still: Option<u8>) -> bool {
        let limit = if self.fault == Fault::RemovedWithLeases { self.holds } else { self.holds + self.lease };
        still.is_some_and(|still| still >= limit)
    }

    /// `Seen::observe`, with what the list says now. Does another give leases?
    pub(super) fn observe(&self, state: &mut State) -> bool {
        let State { row, changer, .. } = state;
        changer.still = row.listed.then(|| if row.moved { 0 } else { changer.still.unwrap_or(0) });
        row.moved = false;
        row.listed && !self.is_gone(changer.still)
    }

    /// May the success be told?
    pub(super) fn is_over(&self, expire: Expire) -> bool {
        match expire {
            Expire::Committed { ago, others: Some(others) } => {
                let wait = if self.fault == Fault::WaitTooShort { self.lease - 1 } else { self.lease };
                !others || ago >= wait || self.fault == Fault::OthersNotWaitedFor
            }
            Expire::None | Expire::ListRead { .. } | Expire::Committed { .. } | Expire::Succeeded { .. } => false,
        }
    }

    /// What the server does next for a poll.
    pub(super) fn see_to(&self, giver: &mut Giver, dead: bool, poll: Poll) -> Poll {
        let log_first = self.fault == Fault::LogBeforeList;
        let mut hear = || giver.heard |= dead && self.fault != Fault::LogNotReadAnew;
        match poll {
            Poll::Sent { age } => {
                if log_first {
                    hear();
                }
                let stay = if log_first { None } else { self.stay(giver) };
                Poll::Listed { age, stay }
            }
            Poll::Listed { age, stay } if log_first => Poll::ChangeLogRead { age, stay: stay.or(self.stay(giver)) },
            Poll::Listed { age, stay } => {
                hear();
                Poll::ChangeLogRead { age, stay }
            }
            Poll::ChangeLogRead { age, stay } => {
                let lease = self.may_grant(giver, stay);
                if lease {
                    giver.given = Some(self.lease);
                }
                Poll::Answered { age, lease, told: giver.heard }
            }
            Poll::None | Poll::Answered { .. } => poll,
        }
    }
}
