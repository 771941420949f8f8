//! The rules of the protocol, each as the program has it, and as it is with a fault.

use super::state::{Known, Mark, PollReply, Slot, State};

/// Where somebody does otherwise than the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// A verifier counts its lease from when the answer came.
    LeaseFromReceipt,
    /// A verifier extends its lease, and then applies what came with it.
    LeaseBeforeApplying,
    /// A verifier says that it has applied what it has only received.
    AcknowledgedBeforeApplying,
    /// A verifier keeps facts although it has applied a change that they may not know of.
    KeptThoughApplied,
    /// A verifier keeps facts that a server before this one told.
    KeptFromAnotherStart,
    /// A verifier looks into its memory, and then reads when its lease ends.
    LeaseReadAfterLookUp,
    /// A verifier looks at the clock before it looks into its memory, and not again. The promise
    /// needs no more.
    ClockReadBeforeLookUp,
    /// A verifier does not mind that it has missed changes.
    GapPassedOver,
    /// The server counts a lease from the first answer, and not anew from those that renew it.
    CountedFromFirstAnswer,
    /// The server counts a lease from when the poll came in that was answered last.
    CountedFromArrival,
    /// The same, but never moves it back. The promise needs no more.
    CountedFromLatestArrival,
    /// The server takes what it tells for applied.
    ToldIsAcknowledged,
    /// The server does not wait for leases that one before it gave.
    NotBlindAfterStart,
    /// The server does not wait at all.
    AnswerBeforeBarrier,
    /// The server waits for one verifier, not for each.
    OneIsEnough,
    /// A change is numbered before it is out of the server's cache.
    NumberedBeforeEvicted,
    /// A change is numbered before it is committed.
    NumberedBeforeCommit,
    /// A look-up takes the number of the last change after it has read the facts.
    NumberTakenAfterRead,
}

/// How large a world is searched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    pub fault: Fault,
    /// In ticks.
    pub lease: u8,
    pub verifiers: usize,
    /// How many changes a start of the server numbers at most.
    pub changes: u8,
    /// How many of them are kept to be told one by one.
    pub window: u8,
    /// How often the server is started.
    pub starts: u8,
    /// Verifiers are killed, messages are lost, other keys change.
    pub mishaps: bool,
    /// Polls that a verifier gave up may still come to the server, or be with it.
    pub strays: bool,
}

/// What an expire does before it waits for the verifiers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    Commit,
    Evict,
    Number,
}

impl Lease {
    /// As `Service::change` has them.
    pub(super) fn parts_of_expire(&self) -> [Part; 3] {
        if self.fault == Fault::NumberedBeforeEvicted {
            [Part::Commit, Part::Number, Part::Evict]
        } else if self.fault == Fault::NumberedBeforeCommit {
            [Part::Number, Part::Commit, Part::Evict]
        } else {
            [Part::Commit, Part::Evict, Part::Number]
        }
    }

    /// `Verifiers::pending`: may the success be told?
    pub(super) fn nobody_is_pending(&self, state: &State) -> bool {
        let done = |known: &Known| known.acknowledged >= state.expire.number || known.left == 0;
        let mut known = state.slots.iter().filter_map(|slot| slot.known.as_ref());
        let all_done = if self.fault == Fault::OneIsEnough {
            known.clone().next().is_none() || known.any(done)
        } else {
            known.all(done)
        };
        self.fault == Fault::AnswerBeforeBarrier || state.server.blind == 0 && all_done
    }

    /// The first half of `Verifiers::poll`, after the note in `Service::poll_verifier`.
    pub(super) fn receive(&self, state: &mut State, v: usize, told: Option<Mark>) {
        match told {
            Some((start, change)) if start == state.server.start => {
                if let Some(known) = &mut state.slots[v].known {
                    known.acknowledged = known.acknowledged.max(change);
                }
            }
            Some(_) | None => state.noted = true,
        }
    }

    /// `Verifiers::answer`. The poll came in `held` ticks ago, where that matters.
    pub(super) fn answer(&self, state: &mut State, v: usize, told: Option<Mark>, held: u8) -> PollReply {
        let State { server, slots, .. } = state;
        let missed =
            told.filter(|(start, _)| *start == server.start).and_then(|(_, change)| server.latest.checked_sub(change));
        let kept = server.latest.min(self.window);
        let continues = missed.is_some_and(|missed| missed <= kept || self.fault == Fault::GapPassedOver);
        let slot = &mut slots[v];
        let new = slot.known.is_none();
        let known = slot.known.get_or_insert(Known { acknowledged: server.latest, left: 0 });
        known.left = if self.fault == Fault::CountedFromFirstAnswer && known.left > 0 {
            known.left
        } else if self.fault == Fault::CountedFromArrival {
            self.lease - held
        } else if self.fault == Fault::CountedFromLatestArrival {
            known.left.max(self.lease - held)
        } else {
            self.lease
        };
        if self.fault == Fault::ToldIsAcknowledged {
            known.acknowledged = server.latest;
        }
        let first = server.latest - missed.unwrap_or(0).min(kept) + 1;
        let reset = new || !continues;
        let forget = !reset && (first..=server.latest).any(|number| server.is_of_the_key(number));
        PollReply { mark: (server.start, server.latest), reset, forget }
    }

    /// The first half of `Memory::apply`.
    pub(super) fn apply(&self, slot: &mut Slot, news: PollReply) {
        let continues = slot.applied.is_some_and(|(start, change)| start == news.mark.0 && change <= news.mark.1);
        if news.reset || news.forget || !continues {
            slot.remembers = false;
        }
        slot.applied = Some(news.mark);
    }

    /// The second half.
    pub(super) fn extend(&self, slot: &mut Slot, age: u8) {
        slot.lease = if self.fault == Fault::LeaseFromReceipt { self.lease } else { self.lease - age };
    }

    /// `Memory::keep`.
    pub(super) fn keeps(&self, slot: &Slot, answer: Mark) -> bool {
        slot.applied.is_some_and(|(start, change)| {
            (start == answer.0 || self.fault == Fault::KeptFromAnotherStart)
                && (change <= answer.1 || self.fault == Fault::KeptThoughApplied)
        })
    }

    /// Does the search have to know when a poll came in?
    pub(super) fn counts_arrivals(&self) -> bool {
        matches!(self.fault, Fault::CountedFromArrival | Fault::CountedFromLatestArrival)
    }
}
