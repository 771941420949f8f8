//! The rules of the protocol, as the program implements them and with each fault.

use super::state::{Mark, PollReply, Registered, Slot, State};

/// An intentional deviation from the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// A verifier counts its lease from when it received the answer.
    LeaseFromReceipt,
    /// A verifier extends its lease before it applies the changes of the answer.
    LeaseBeforeApplying,
    /// A verifier acknowledges changes before it applies them.
    AcknowledgedBeforeApplying,
    /// A verifier caches facts although it has applied a change that they may not include.
    KeptDespiteChange,
    /// A verifier caches facts from a previous server.
    KeptFromAnotherStart,
    /// A verifier reads the end of its lease after it looks up the key in its cache.
    LeaseReadAfterLookUp,
    /// A verifier reads the clock before it looks up the key in its cache, and not again. The promise
    /// still holds.
    ClockReadBeforeLookUp,
    /// A verifier that missed changes does not clear its cache.
    GapIgnored,
    /// The server counts a lease from its first answer and ignores renewals.
    CountedFromFirstAnswer,
    /// The server counts a lease from when it received the poll that it answered last.
    CountedFromArrival,
    /// Like `CountedFromArrival`, but the lease never gets shorter. The promise still holds.
    CountedFromLatestArrival,
    /// The server treats sent changes as acknowledged.
    SentIsAcknowledged,
    /// The server does not wait for the leases of a previous server.
    NoWaitAfterStart,
    /// The server does not wait at all.
    AnswerBeforeBarrier,
    /// The server waits for one verifier instead of all.
    WaitsForOne,
    /// A change is numbered before it is evicted from the server's cache.
    NumberedBeforeEvicted,
    /// A change is numbered before it is committed.
    NumberedBeforeCommit,
    /// A lookup reads the number of the last change after it has read the facts.
    NumberTakenAfterRead,
}

/// The size of the searched model.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    pub fault: Fault,
    /// In ticks.
    pub lease: u8,
    pub verifiers: usize,
    /// Maximum number of changes between two starts of the server.
    pub changes: u8,
    /// The number of changes that the server stores.
    pub window: u8,
    /// The number of starts of the server.
    pub starts: u8,
    /// Whether verifiers are killed, messages are lost and other keys change.
    pub mishaps: bool,
    /// Whether polls that a verifier dropped may still reach the server or be held there.
    pub strays: bool,
}

/// A step of an expire before it waits for the verifiers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    Commit,
    Evict,
    Number,
}

impl Lease {
    /// The order in `Service::change`.
    pub(super) fn parts_of_expire(&self) -> [Part; 3] {
        if self.fault == Fault::NumberedBeforeEvicted {
            [Part::Commit, Part::Number, Part::Evict]
        } else if self.fault == Fault::NumberedBeforeCommit {
            [Part::Number, Part::Commit, Part::Evict]
        } else {
            [Part::Commit, Part::Evict, Part::Number]
        }
    }

    /// Whether the expire may succeed, as in `Verifiers::pending`.
    pub(super) fn may_succeed(&self, state: &State) -> bool {
        let done = |registered: &Registered| registered.acknowledged >= state.expire.number || registered.left == 0;
        let mut registered = state.slots.iter().filter_map(|slot| slot.registered.as_ref());
        let all_done = if self.fault == Fault::WaitsForOne {
            registered.clone().next().is_none() || registered.any(done)
        } else {
            registered.all(done)
        };
        self.fault == Fault::AnswerBeforeBarrier || state.server.unknown_leases == 0 && all_done
    }

    /// The first half of `Verifiers::poll`, after `Service::before_poll` has stored the lease.
    pub(super) fn receive(&self, state: &mut State, v: usize, applied: Option<Mark>) {
        match applied {
            Some((start, change)) if start == state.server.start => {
                if let Some(registered) = &mut state.slots[v].registered {
                    registered.acknowledged = registered.acknowledged.max(change);
                }
            }
            Some(_) | None => state.lease_stored = true,
        }
    }

    /// `Verifiers::answer`. The poll arrived `held` ticks ago; only some faults use this.
    pub(super) fn answer(&self, state: &mut State, v: usize, applied: Option<Mark>, held: u8) -> PollReply {
        let State { server, slots, .. } = state;
        let missed = applied
            .filter(|(start, _)| *start == server.start)
            .and_then(|(_, change)| server.latest.checked_sub(change));
        let kept = server.latest.min(self.window);
        let continues = missed.is_some_and(|missed| missed <= kept || self.fault == Fault::GapIgnored);
        let slot = &mut slots[v];
        let new = slot.registered.is_none();
        let registered = slot.registered.get_or_insert(Registered { acknowledged: server.latest, left: 0 });
        registered.left = if self.fault == Fault::CountedFromFirstAnswer && registered.left > 0 {
            registered.left
        } else if self.fault == Fault::CountedFromArrival {
            self.lease - held
        } else if self.fault == Fault::CountedFromLatestArrival {
            registered.left.max(self.lease - held)
        } else {
            self.lease
        };
        if self.fault == Fault::SentIsAcknowledged {
            registered.acknowledged = server.latest;
        }
        let first = server.latest - missed.unwrap_or(0).min(kept) + 1;
        let reset = new || !continues;
        let evict = !reset && (first..=server.latest).any(|number| server.is_of_the_key(number));
        PollReply { mark: (server.start, server.latest), reset, evict }
    }

    /// Applies the changes of an answer: `Memory::apply`.
    pub(super) fn apply(&self, slot: &mut Slot, reply: PollReply) {
        let continues = slot.applied.is_some_and(|(start, change)| start == reply.mark.0 && change <= reply.mark.1);
        if reply.reset || reply.evict || !continues {
            slot.cached = false;
        }
        slot.applied = Some(reply.mark);
    }

    /// Extends the verifier's lease after an answer.
    pub(super) fn extend(&self, slot: &mut Slot, age: u8) {
        slot.lease = if self.fault == Fault::LeaseFromReceipt { self.lease } else { self.lease - age };
    }

    /// `Memory::keep`.
    pub(super) fn keeps(&self, slot: &Slot, answer: Mark) -> bool {
        slot.applied.is_some_and(|(start, change)| {
            (start == answer.0 || self.fault == Fault::KeptFromAnotherStart)
                && (change <= answer.1 || self.fault == Fault::KeptDespiteChange)
        })
    }

    /// Whether the state has to include when a poll arrived.
    pub(super) fn counts_arrivals(&self) -> bool {
        matches!(self.fault, Fault::CountedFromArrival | Fault::CountedFromLatestArrival)
    }
}
