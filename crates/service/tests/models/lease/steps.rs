//! The possible next steps, and their effects.

use stateright::{Model, Property};

use super::model::{Fault, Lease, Part};
use super::state::{Expire, LookUp, Poll, Server, Slot, State, Stray, Success, Use};

/// What must hold in every state.
pub(super) const PROMISE: &str = "no verifier accepts the key after the success";

/// A step of the model. The number is the index of the verifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// All clocks advance.
    Tick,
    /// The expire does its next step.
    Expire,
    /// The expire succeeds, and the client reads the success.
    Succeed,
    /// Another key changes.
    ChangeAnother,
    /// The server is killed and started again.
    KillServer,
    /// A verifier is killed and started again with another id.
    KillVerifier(usize),
    /// The server removes a verifier whose lease has expired.
    Retire(usize),
    Send(usize),
    Receive(usize),
    Answer(usize),
    /// The answer arrives, and the verifier does the first half of its work.
    Deliver(usize),
    /// The verifier does the second half.
    Finish(usize),
    /// A verifier's acknowledgement reaches the server before the change is applied: a fault.
    AcknowledgeEarly(usize),
    /// A verifier drops its poll.
    DropPoll(usize),
    ReceiveStray(usize),
    AnswerStray(usize),
    LoseStray(usize),
    /// A lookup reads the number of the last change.
    Number(usize),
    /// The lookup reads that the key is live.
    Read(usize),
    LoseLookUp(usize),
    Keep(usize),
    ReadLease(usize),
    LookUpInCache(usize),
    Judge(usize),
}

impl Lease {
    /// Whether the server finds the key live, in the database or in its cache.
    fn reads_live(state: &State) -> bool {
        state.live || state.server.caches_live
    }

    /// The steps of one verifier, and of the server for it.
    fn steps_of(&self, state: &State, v: usize, steps: &mut Vec<Step>) {
        let slot = &state.slots[v];
        match slot.poll {
            Poll::None => steps.push(Step::Send(v)),
            Poll::Sent { .. } => steps.extend([Step::Receive(v), Step::DropPoll(v)]),
            Poll::Held { .. } => steps.extend([Step::Answer(v), Step::DropPoll(v)]),
            Poll::Answered { .. } => steps.extend([Step::Deliver(v), Step::DropPoll(v)]),
            Poll::Applying { .. } => {
                steps.push(Step::Finish(v));
                if self.fault == Fault::AcknowledgedBeforeApplying {
                    steps.push(Step::AcknowledgeEarly(v));
                }
            }
        }
        match slot.stray {
            None => {}
            Some(Stray { held: None, .. }) => steps.extend([Step::ReceiveStray(v), Step::LoseStray(v)]),
            Some(Stray { held: Some(_), .. }) => steps.extend([Step::AnswerStray(v), Step::LoseStray(v)]),
        }
        let number_is_late = self.fault == Fault::NumberTakenAfterRead;
        match slot.look_up {
            LookUp::None if !number_is_late || Self::reads_live(state) => steps.push(Step::Number(v)),
            LookUp::None => {}
            LookUp::Numbered(_) if number_is_late || Self::reads_live(state) => {
                steps.extend([Step::Read(v), Step::LoseLookUp(v)]);
            }
            LookUp::Numbered(_) => steps.push(Step::LoseLookUp(v)),
            LookUp::Live(_) => steps.extend([Step::Keep(v), Step::LoseLookUp(v)]),
        }
        if state.success.is_some() {
            let (late, early) = (self.fault == Fault::LeaseReadAfterLookUp, self.fault == Fault::ClockReadBeforeLookUp);
            match slot.use_after {
                Use::None if slot.lease > 0 || late => steps.push(Step::ReadLease(v)),
                Use::Leased { .. } if slot.cached => steps.push(Step::LookUpInCache(v)),
                Use::Found { left } if left > 0 || early || late && slot.lease > 0 => steps.push(Step::Judge(v)),
                // A use that is not accepted is equivalent to one that begins later.
                Use::None | Use::Leased { .. } | Use::Found { .. } | Use::Accepted => {}
            }
        }
        if slot.registered.is_some_and(|registered| registered.left == 0) {
            steps.push(Step::Retire(v));
        }
        steps.push(Step::KillVerifier(v));
        if !self.mishaps {
            let mishap = |step: &Step| {
                matches!(step, Step::Retire(_) | Step::KillVerifier(_) | Step::DropPoll(_) | Step::LoseLookUp(_))
            };
            steps.retain(|step| !mishap(step));
        }
    }

    fn kill_server(&self, state: &mut State) {
        let unknown_leases = if state.lease_stored && self.fault != Fault::NoWaitAfterStart { self.lease } else { 0 };
        let (start, caches_live) = (state.server.start + 1, state.live);
        state.server = Server { start, caches_live, latest: 0, changes: 0, unknown_leases };
        state.expire = Expire::default();
        for slot in &mut state.slots {
            slot.registered = None;
            if matches!(slot.poll, Poll::Held { .. }) {
                slot.poll = Poll::None;
            }
            if matches!(slot.look_up, LookUp::Numbered(_)) {
                slot.look_up = LookUp::None;
            }
            slot.stray = slot.stray.filter(|stray| stray.held.is_none());
        }
    }

    fn expire(&self, state: &mut State) {
        match self.parts_of_expire()[usize::from(state.expire.done)] {
            Part::Commit => state.live = false,
            Part::Evict => state.server.caches_live = state.live,
            Part::Number => state.expire.number = state.server.record(true),
        }
        state.expire.done += 1;
    }

    fn succeed(&self, state: &mut State) {
        let number = state.expire.number;
        let stands = |slot: &Slot, confirmed: bool| {
            slot.registered.is_some_and(|registered| (registered.acknowledged >= number) == confirmed)
        };
        state.success = Some(Success {
            confirmed: state.slots.iter().any(|slot| stands(slot, true) && slot.lease > 0),
            lapsed: state.slots.iter().any(|slot| stands(slot, false) && slot.cached),
        });
        state.expire = Expire::default();
    }
}

impl Model for Lease {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let server = Server { start: 0, caches_live: true, latest: 0, changes: 0, unknown_leases: 0 };
        let slots = vec![Slot::default(); self.verifiers];
        vec![State { live: true, lease_stored: false, server, expire: Expire::default(), success: None, slots }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        steps.push(Step::Tick);
        let done = usize::from(state.expire.done);
        if let Some(part) = self.parts_of_expire().get(done) {
            let may_number = state.server.latest < self.changes || !matches!(part, Part::Number);
            if state.success.is_none() && may_number {
                steps.push(Step::Expire);
            }
        } else if self.may_succeed(state) {
            steps.push(Step::Succeed);
        }
        if self.mishaps && state.server.latest < self.changes {
            steps.push(Step::ChangeAnother);
        }
        if state.server.start + 1 < self.starts {
            steps.push(Step::KillServer);
        }
        for v in 0..state.slots.len() {
            self.steps_of(state, v, steps);
        }
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = last.clone();
        self.take(&mut state, step);
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(PROMISE, |_, state: &State| {
                state.slots.iter().all(|slot| slot.use_after != Use::Accepted)
            }),
            Property::sometimes("a cache hit under a lease", |_, state: &State| {
                state.success.is_none() && state.slots.iter().any(|slot| slot.cached && slot.lease > 0)
            }),
            Property::sometimes("a success after an acknowledgement", |_, state: &State| {
                state.success.is_some_and(|success| success.confirmed)
            }),
            Property::sometimes("a success after a lease has expired", |_, state: &State| {
                state.success.is_some_and(|success| success.lapsed)
            }),
        ]
    }
}

impl Lease {
    fn take(&self, state: &mut State, step: Step) {
        match step {
            Step::Tick => state.tick(self.lease, self.counts_arrivals()),
            Step::Expire => self.expire(state),
            Step::Succeed => self.succeed(state),
            Step::ChangeAnother => {
                state.server.record(false);
            }
            Step::KillServer => self.kill_server(state),
            Step::KillVerifier(v) => state.slots[v] = Slot::default(),
            Step::Retire(v) => state.slots[v].registered = None,
            Step::Send(v) => {
                let applied = state.slots[v].applied;
                state.slots[v].poll = Poll::Sent { applied, age: 0 };
            }
            Step::Receive(v) => {
                if let Poll::Sent { applied, age } = state.slots[v].poll {
                    self.receive(state, v, applied);
                    state.slots[v].poll = Poll::Held { applied, age, held: 0 };
                }
            }
            Step::Answer(v) => {
                if let Poll::Held { applied, age, held } = state.slots[v].poll {
                    let reply = self.answer(state, v, applied, held);
                    state.slots[v].poll = Poll::Answered { reply, age };
                }
            }
            Step::Deliver(v) => {
                let slot = &mut state.slots[v];
                if let Poll::Answered { reply, age } = slot.poll {
                    if self.fault == Fault::LeaseBeforeApplying {
                        self.extend(slot, age);
                    } else if self.fault != Fault::AcknowledgedBeforeApplying {
                        self.apply(slot, reply);
                    }
                    slot.poll = Poll::Applying { reply, age };
                }
            }
            Step::Finish(v) => {
                let slot = &mut state.slots[v];
                if let Poll::Applying { reply, age } = slot.poll {
                    if matches!(self.fault, Fault::LeaseBeforeApplying | Fault::AcknowledgedBeforeApplying) {
                        self.apply(slot, reply);
                    }
                    if self.fault != Fault::LeaseBeforeApplying {
                        self.extend(slot, age);
                    }
                    slot.poll = Poll::None;
                }
            }
            Step::AcknowledgeEarly(v) => {
                if let Poll::Applying { reply, .. } = state.slots[v].poll {
                    self.receive(state, v, Some(reply.mark));
                }
            }
            Step::DropPoll(v) => {
                let slot = &mut state.slots[v];
                let stray = match slot.poll {
                    Poll::Sent { applied, .. } => Some(Stray { applied, held: None }),
                    Poll::Held { applied, held, .. } => Some(Stray { applied, held: Some(held) }),
                    Poll::None | Poll::Answered { .. } | Poll::Applying { .. } => None,
                };
                slot.stray = slot.stray.or(stray.filter(|_| self.strays));
                slot.poll = Poll::None;
            }
            Step::ReceiveStray(v) => {
                if let Some(Stray { applied, .. }) = state.slots[v].stray {
                    self.receive(state, v, applied);
                    state.slots[v].stray = Some(Stray { applied, held: Some(0) });
                }
            }
            Step::AnswerStray(v) => {
                if let Some(Stray { applied, held: Some(held) }) = state.slots[v].stray.take() {
                    self.answer(state, v, applied, held);
                }
            }
            Step::LoseStray(v) => state.slots[v].stray = None,
            Step::Number(v) => state.slots[v].look_up = LookUp::Numbered((state.server.start, state.server.latest)),
            Step::Read(v) => {
                if let LookUp::Numbered(number) = state.slots[v].look_up {
                    let late = (state.server.start, state.server.latest);
                    let mark = if self.fault == Fault::NumberTakenAfterRead { late } else { number };
                    state.slots[v].look_up = LookUp::Live(mark);
                }
            }
            Step::LoseLookUp(v) => state.slots[v].look_up = LookUp::None,
            Step::Keep(v) => {
                let slot = &mut state.slots[v];
                if let LookUp::Live(mark) = std::mem::take(&mut slot.look_up) {
                    slot.cached |= self.keeps(slot, mark);
                }
            }
            Step::ReadLease(v) => state.slots[v].use_after = Use::Leased { left: state.slots[v].lease },
            Step::LookUpInCache(v) => {
                if let Use::Leased { left } = state.slots[v].use_after {
                    state.slots[v].use_after = Use::Found { left };
                }
            }
            Step::Judge(v) => state.slots[v].use_after = Use::Accepted,
        }
    }
}
