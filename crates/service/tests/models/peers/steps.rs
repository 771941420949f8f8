//! Who can do what next, and what comes of it.

use stateright::{Model, Property};

use super::model::{Fault, Peers};
use super::state::{Beat, Expire, LookUp, Poll, State, Use, Verifier};

/// What must hold in every state.
pub(super) const PROMISE: &str = "nobody accepts after the success";

/// One step of somebody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// All clocks go on.
    Tick,
    /// The server that gives leases begins to raise its beat.
    BeginBeat,
    WriteBeat,
    /// It learns that the beat is written.
    EndBeat,
    LoseBeat,
    /// It reads the log of changes, as every second.
    Hear,
    /// It strikes its verifier off, whose lease has run out.
    Retire,
    Leave,
    WriteLeave,
    /// The other server looks at the list.
    Look,
    /// It takes the first off the list.
    Remove,
    ReadList,
    Commit,
    Succeed,
    Send,
    /// The server takes the next step for the poll.
    SeeTo,
    GiveUp,
    Apply,
    KillVerifier,
    Number,
    Read,
    Keep,
    LoseLookUp,
    ReadLease,
    LookIntoMemory,
    Judge,
}

impl Peers {
    fn steps_of_giver(&self, state: &State, steps: &mut Vec<Step>) {
        let giver = &state.giver;
        match giver.beat {
            Beat::None => {
                if self.stay(giver).is_some() || giver.stay < self.stays {
                    steps.push(Step::BeginBeat);
                }
                if giver.until > 0 && self.may_leave(giver) {
                    steps.push(Step::Leave);
                }
            }
            Beat::Begun { .. } => steps.extend([Step::WriteBeat, Step::LoseBeat]),
            Beat::Written { .. } => steps.extend([Step::EndBeat, Step::LoseBeat]),
            Beat::Leaving => steps.extend([Step::WriteLeave, Step::LoseBeat]),
        }
        if giver.given == Some(0) {
            steps.push(Step::Retire);
        }
        if self.fault != Fault::LogNotReadAnew {
            steps.push(Step::Hear);
        }
    }

    fn steps_of_changer(&self, state: &State, steps: &mut Vec<Step>) {
        steps.push(Step::Look);
        let unmoved = !state.row.moved || self.fault == Fault::RemovedThoughMoved;
        if state.row.listed && unmoved && self.is_gone(state.changer.still) {
            steps.push(Step::Remove);
        }
        match state.changer.expire {
            Expire::None if self.fault == Fault::ListBeforeCommit => steps.push(Step::ReadList),
            Expire::None | Expire::ListRead { .. } => steps.push(Step::Commit),
            Expire::Committed { others: None, .. } => steps.push(Step::ReadList),
            Expire::Committed { .. } if self.is_over(state.changer.expire) => steps.push(Step::Succeed),
            Expire::Committed { .. } | Expire::Succeeded { .. } => {}
        }
    }

    fn steps_of_verifier(&self, state: &State, steps: &mut Vec<Step>) {
        let verifier = &state.verifier;
        match verifier.poll {
            Poll::None => steps.push(Step::Send),
            Poll::Sent { .. } | Poll::Listed { .. } | Poll::ChangeLogRead { .. } => {
                steps.extend([Step::SeeTo, Step::GiveUp])
            }
            Poll::Answered { .. } => steps.extend([Step::Apply, Step::GiveUp]),
        }
        match verifier.look_up {
            LookUp::None if !state.row.dead => steps.push(Step::Number),
            LookUp::None => {}
            LookUp::Numbered { .. } if !state.row.dead => steps.push(Step::Read),
            LookUp::Numbered { .. } => steps.push(Step::LoseLookUp),
            LookUp::Live { .. } => steps.extend([Step::Keep, Step::LoseLookUp]),
        }
        if matches!(state.changer.expire, Expire::Succeeded { .. }) {
            match verifier.use_after {
                Use::None if verifier.lease > 0 => steps.push(Step::ReadLease),
                Use::Leased { .. } if verifier.remembers => steps.push(Step::LookIntoMemory),
                Use::Found { left: 1.. } => steps.push(Step::Judge),
                // A use that comes to nothing may as well have begun later.
                Use::None | Use::Leased { .. } | Use::Found { .. } | Use::Accepted => {}
            }
        }
        steps.push(Step::KillVerifier);
    }
}

impl Model for Peers {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State::default()]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        steps.push(Step::Tick);
        self.steps_of_giver(state, steps);
        self.steps_of_changer(state, steps);
        self.steps_of_verifier(state, steps);
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = last.clone();
        self.take(&mut state, step);
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(PROMISE, |_, state: &State| state.verifier.use_after != Use::Accepted),
            Property::sometimes("a memory is of use", |_, state: &State| {
                !state.row.dead && state.verifier.remembers && state.verifier.lease > 0
            }),
            Property::sometimes("a success that waited, and a memory out of date", |_, state: &State| {
                state.changer.expire == Expire::Succeeded { waited: true } && state.verifier.remembers
            }),
            Property::sometimes("a success at once, and a memory out of date", |_, state: &State| {
                state.changer.expire == Expire::Succeeded { waited: false } && state.verifier.remembers
            }),
            Property::sometimes("a lease of another stay after the success", |_, state: &State| {
                let succeeded = matches!(state.changer.expire, Expire::Succeeded { .. });
                succeeded && state.giver.stay > 1 && state.verifier.lease > 0
            }),
        ]
    }
}

impl Peers {
    fn take(&self, state: &mut State, step: Step) {
        let dead = state.row.dead;
        match step {
            Step::Tick => state.tick(self.lease, self.holds),
            Step::BeginBeat => state.giver.beat = Beat::Begun { age: 0, listed: self.stay(&state.giver).is_some() },
            Step::WriteBeat => {
                if let Beat::Begun { age, listed } = state.giver.beat {
                    state.row.listed = true;
                    state.row.moved = true;
                    state.giver.beat = Beat::Written { age, listed };
                }
            }
            Step::EndBeat => {
                if let Beat::Written { age, listed } = state.giver.beat {
                    self.beaten(&mut state.giver, age, listed);
                }
            }
            Step::LoseBeat => state.giver.beat = Beat::None,
            Step::Hear => state.giver.heard |= dead,
            Step::Retire => state.giver.given = None,
            Step::Leave => {
                state.giver.until = 0;
                state.giver.beat = Beat::Leaving;
            }
            Step::WriteLeave => {
                state.row.listed = false;
                state.giver.beat = Beat::None;
            }
            Step::Look => {
                self.observe(state);
            }
            Step::Remove => {
                state.row.listed = false;
                state.row.moved = false;
            }
            Step::ReadList => {
                let others = self.observe(state);
                state.changer.expire = match state.changer.expire {
                    Expire::Committed { ago, .. } => Expire::Committed { ago, others: Some(others) },
                    Expire::None | Expire::ListRead { .. } | Expire::Succeeded { .. } => Expire::ListRead { others },
                };
            }
            Step::Commit => {
                let others = match state.changer.expire {
                    Expire::ListRead { others } => Some(others),
                    Expire::None | Expire::Committed { .. } | Expire::Succeeded { .. } => None,
                };
                state.row.dead = true;
                state.changer.expire = Expire::Committed { ago: 0, others };
            }
            Step::Succeed => {
                let waited = matches!(state.changer.expire, Expire::Committed { others: Some(true), .. });
                state.changer.expire = Expire::Succeeded { waited };
            }
            Step::Send => state.verifier.poll = Poll::Sent { age: 0 },
            Step::SeeTo => state.verifier.poll = self.see_to(&mut state.giver, dead, state.verifier.poll),
            Step::GiveUp => state.verifier.poll = Poll::None,
            Step::Apply => {
                let verifier = &mut state.verifier;
                if let Poll::Answered { age, lease, told } = verifier.poll {
                    // Without a lease, all is forgotten.
                    verifier.remembers &= lease && told == verifier.told;
                    verifier.told = told;
                    verifier.lease = if lease { self.lease.saturating_sub(age) } else { 0 };
                    verifier.poll = Poll::None;
                }
            }
            Step::KillVerifier => state.verifier = Verifier::default(),
            Step::Number => state.verifier.look_up = LookUp::Numbered { told: state.giver.heard },
            Step::Read => {
                if let LookUp::Numbered { told } = state.verifier.look_up {
                    state.verifier.look_up = LookUp::Live { told };
                }
            }
            Step::Keep => {
                if let LookUp::Live { told } = std::mem::take(&mut state.verifier.look_up) {
                    state.verifier.remembers |= told || !state.verifier.told;
                }
            }
            Step::LoseLookUp => state.verifier.look_up = LookUp::None,
            Step::ReadLease => state.verifier.use_after = Use::Leased { left: state.verifier.lease },
            Step::LookIntoMemory => {
                if let Use::Leased { left } = state.verifier.use_after {
                    state.verifier.use_after = Use::Found { left };
                }
            }
            Step::Judge => state.verifier.use_after = Use::Accepted,
        }
    }
}
