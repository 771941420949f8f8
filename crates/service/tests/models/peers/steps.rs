//! The possible next steps, and their effects.

use stateright::{Model, Property};

use super::model::{Fault, Peers};
use super::state::{Expire, Heartbeat, LookUp, Poll, State, Use, Verifier};

/// What must hold in every state.
pub(super) const PROMISE: &str = "no verifier accepts the key after the success";

/// A step of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// All clocks advance.
    Tick,
    /// The granting server starts to write a heartbeat.
    StartHeartbeat,
    WriteHeartbeat,
    /// The server learns that the heartbeat is written.
    ConfirmHeartbeat,
    LoseHeartbeat,
    /// The server reads the change log, as it does every second.
    ReadLog,
    /// The server removes its verifier, whose lease has expired.
    Retire,
    Deregister,
    WriteDeregistration,
    /// The other server reads the list.
    Observe,
    /// The other server removes the granting server from the list.
    Remove,
    ReadList,
    Commit,
    Succeed,
    Send,
    /// The granting server does its next step for the poll.
    Advance,
    DropPoll,
    Apply,
    KillVerifier,
    Number,
    Read,
    Keep,
    LoseLookUp,
    ReadLease,
    LookUpInCache,
    Judge,
}

impl Peers {
    fn steps_of_giver(&self, state: &State, steps: &mut Vec<Step>) {
        let giver = &state.giver;
        match giver.heartbeat {
            Heartbeat::None => {
                if self.registration(giver).is_some() || giver.registration < self.registrations {
                    steps.push(Step::StartHeartbeat);
                }
                if giver.until > 0 && self.may_deregister(giver) {
                    steps.push(Step::Deregister);
                }
            }
            Heartbeat::Started { .. } => steps.extend([Step::WriteHeartbeat, Step::LoseHeartbeat]),
            Heartbeat::Written { .. } => steps.extend([Step::ConfirmHeartbeat, Step::LoseHeartbeat]),
            Heartbeat::Deregistering => steps.extend([Step::WriteDeregistration, Step::LoseHeartbeat]),
        }
        if giver.granted == Some(0) {
            steps.push(Step::Retire);
        }
        if self.fault != Fault::LogNotRead {
            steps.push(Step::ReadLog);
        }
    }

    fn steps_of_changer(&self, state: &State, steps: &mut Vec<Step>) {
        steps.push(Step::Observe);
        let unchanged = !state.row.heartbeat_changed || self.fault == Fault::RemovedDespiteHeartbeat;
        if state.row.listed && unchanged && self.has_lapsed(state.changer.unchanged_for) {
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
            Poll::Sent { .. } | Poll::Registered { .. } | Poll::ChangeLogRead { .. } => {
                steps.extend([Step::Advance, Step::DropPoll])
            }
            Poll::Answered { .. } => steps.extend([Step::Apply, Step::DropPoll]),
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
                Use::Leased { .. } if verifier.cached => steps.push(Step::LookUpInCache),
                Use::Found { left: 1.. } => steps.push(Step::Judge),
                // A use that is not accepted is equivalent to one that begins later.
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
            Property::sometimes("a cache hit under a lease", |_, state: &State| {
                !state.row.dead && state.verifier.cached && state.verifier.lease > 0
            }),
            Property::sometimes("a success after a wait, with a stale cache", |_, state: &State| {
                state.changer.expire == Expire::Succeeded { waited: true } && state.verifier.cached
            }),
            Property::sometimes("a success at once, with a stale cache", |_, state: &State| {
                state.changer.expire == Expire::Succeeded { waited: false } && state.verifier.cached
            }),
            Property::sometimes("a lease under another registration after the success", |_, state: &State| {
                let succeeded = matches!(state.changer.expire, Expire::Succeeded { .. });
                succeeded && state.giver.registration > 1 && state.verifier.lease > 0
            }),
        ]
    }
}

impl Peers {
    fn take(&self, state: &mut State, step: Step) {
        let dead = state.row.dead;
        match step {
            Step::Tick => state.tick(self.lease, self.holds),
            Step::StartHeartbeat => {
                state.giver.heartbeat = Heartbeat::Started { age: 0, listed: self.registration(&state.giver).is_some() }
            }
            Step::WriteHeartbeat => {
                if let Heartbeat::Started { age, listed } = state.giver.heartbeat {
                    state.row.listed = true;
                    state.row.heartbeat_changed = true;
                    state.giver.heartbeat = Heartbeat::Written { age, listed };
                }
            }
            Step::ConfirmHeartbeat => {
                if let Heartbeat::Written { age, listed } = state.giver.heartbeat {
                    self.record_heartbeat(&mut state.giver, age, listed);
                }
            }
            Step::LoseHeartbeat => state.giver.heartbeat = Heartbeat::None,
            Step::ReadLog => state.giver.read_change |= dead,
            Step::Retire => state.giver.granted = None,
            Step::Deregister => {
                state.giver.until = 0;
                state.giver.heartbeat = Heartbeat::Deregistering;
            }
            Step::WriteDeregistration => {
                state.row.listed = false;
                state.giver.heartbeat = Heartbeat::None;
            }
            Step::Observe => {
                self.observe(state);
            }
            Step::Remove => {
                state.row.listed = false;
                state.row.heartbeat_changed = false;
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
            Step::Advance => state.verifier.poll = self.advance(&mut state.giver, dead, state.verifier.poll),
            Step::DropPoll => state.verifier.poll = Poll::None,
            Step::Apply => {
                let verifier = &mut state.verifier;
                if let Poll::Answered { age, lease, has_change } = verifier.poll {
                    // Without a lease, the verifier clears its cache.
                    verifier.cached &= lease && has_change == verifier.has_change;
                    verifier.has_change = has_change;
                    verifier.lease = if lease { self.lease.saturating_sub(age) } else { 0 };
                    verifier.poll = Poll::None;
                }
            }
            Step::KillVerifier => state.verifier = Verifier::default(),
            Step::Number => state.verifier.look_up = LookUp::Numbered { has_change: state.giver.read_change },
            Step::Read => {
                if let LookUp::Numbered { has_change } = state.verifier.look_up {
                    state.verifier.look_up = LookUp::Live { has_change };
                }
            }
            Step::Keep => {
                if let LookUp::Live { has_change } = std::mem::take(&mut state.verifier.look_up) {
                    state.verifier.cached |= has_change || !state.verifier.has_change;
                }
            }
            Step::LoseLookUp => state.verifier.look_up = LookUp::None,
            Step::ReadLease => state.verifier.use_after = Use::Leased { left: state.verifier.lease },
            Step::LookUpInCache => {
                if let Use::Leased { left } = state.verifier.use_after {
                    state.verifier.use_after = Use::Found { left };
                }
            }
            Step::Judge => state.verifier.use_after = Use::Accepted,
        }
    }
}
