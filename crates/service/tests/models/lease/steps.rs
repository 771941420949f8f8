//! Who can do what next, and what comes of it.

use stateright::{Model, Property};

use super::model::{Fault, Lease, Part};
use super::state::{Expire, LookUp, Poll, Server, Slot, State, Stray, Success, Use};

/// What must hold in every state.
pub(super) const PROMISE: &str = "nobody accepts after the success";

/// One step of somebody's. The number says which verifier it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// All clocks go on.
    Tick,
    /// The expire takes its next step.
    Expire,
    /// Its success is told, and read.
    Succeed,
    /// Another key changes.
    ChangeAnother,
    /// The server is killed, and started again.
    KillServer,
    /// A verifier is killed, and started again under another id.
    KillVerifier(usize),
    /// The server strikes a verifier off whose lease has run out.
    Retire(usize),
    Send(usize),
    Receive(usize),
    Answer(usize),
    /// The answer arrives, and the first half of what it asks for is done.
    Deliver(usize),
    /// The second half is done.
    Finish(usize),
    /// What a verifier will say next comes to the server before it is true: a fault.
    Anticipate(usize),
    /// A verifier gives its poll up.
    GiveUp(usize),
    ReceiveStray(usize),
    AnswerStray(usize),
    LoseStray(usize),
    /// A look-up takes the number of the last change.
    Number(usize),
    /// It reads that the key is live.
    Read(usize),
    LoseLookUp(usize),
    Keep(usize),
    ReadLease(usize),
    LookIntoMemory(usize),
    Judge(usize),
}

impl Lease {
    /// Does the server find the key live, in the database or in its cache?
    fn reads_live(state: &State) -> bool {
        state.live || state.server.caches_live
    }

    /// The steps of one verifier, and of the server about it.
    fn steps_of(&self, state: &State, v: usize, steps: &mut Vec<Step>) {
        let slot = &state.slots[v];
        match slot.poll {
            Poll::None => steps.push(Step::Send(v)),
            Poll::Sent { .. } => steps.extend([Step::Receive(v), Step::GiveUp(v)]),
            Poll::Held { .. } => steps.extend([Step::Answer(v), Step::GiveUp(v)]),
            Poll::Answered { .. } => steps.extend([Step::Deliver(v), Step::GiveUp(v)]),
            Poll::Applying { .. } => {
                steps.push(Step::Finish(v));
                if self.fault == Fault::AcknowledgedBeforeApplying {
                    steps.push(Step::Anticipate(v));
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
                Use::Leased { .. } if slot.remembers => steps.push(Step::LookIntoMemory(v)),
                Use::Found { left } if left > 0 || early || late && slot.lease > 0 => steps.push(Step::Judge(v)),
                // A use that comes to nothing may as well have begun later.
                Use::None | Use::Leased { .. } | Use::Found { .. } | Use::Accepted => {}
            }
        }
        if slot.known.is_some_and(|known| known.left == 0) {
            steps.push(Step::Retire(v));
        }
        steps.push(Step::KillVerifier(v));
        if !self.mishaps {
            let mishap = |step: &Step| {
                matches!(step, Step::Retire(_) | Step::KillVerifier(_) | Step::GiveUp(_) | Step::LoseLookUp(_))
            };
            steps.retain(|step| !mishap(step));
        }
    }

    fn kill_server(&self, state: &mut State) {
        let blind = if state.noted && self.fault != Fault::NotBlindAfterStart { self.lease } else { 0 };
        let (start, caches_live) = (state.server.start + 1, state.live);
        state.server = Server { start, caches_live, latest: 0, changes: 0, blind };
        state.expire = Expire::default();
        for slot in &mut state.slots {
            slot.known = None;
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
        let stands =
            |slot: &Slot, confirmed: bool| slot.known.is_some_and(|known| (known.acknowledged >= number) == confirmed);
        state.success = Some(Success {
            confirmed: state.slots.iter().any(|slot| stands(slot, true) && slot.lease > 0),
            lapsed: state.slots.iter().any(|slot| stands(slot, false) && slot.remembers),
        });
        state.expire = Expire::default();
    }
}

impl Model for Lease {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let server = Server { start: 0, caches_live: true, latest: 0, changes: 0, blind: 0 };
        let slots = vec![Slot::default(); self.verifiers];
        vec![State { live: true, noted: false, server, expire: Expire::default(), success: None, slots }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        steps.push(Step::Tick);
        let done = usize::from(state.expire.done);
        if let Some(part) = self.parts_of_expire().get(done) {
            let may_number = state.server.latest < self.changes || !matches!(part, Part::Number);
            if state.success.is_none() && may_number {
                steps.push(Step::Expire);
            }
        } else if self.nobody_is_pending(state) {
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
            Property::sometimes("a memory is of use", |_, state: &State| {
                state.success.is_none() && state.slots.iter().any(|slot| slot.remembers && slot.lease > 0)
            }),
            Property::sometimes("a success after a confirmation", |_, state: &State| {
                state.success.is_some_and(|success| success.confirmed)
            }),
            Property::sometimes("a success after a lease has run out", |_, state: &State| {
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
            Step::Retire(v) => state.slots[v].known = None,
            Step::Send(v) => {
                let told = state.slots[v].applied;
                state.slots[v].poll = Poll::Sent { told, age: 0 };
            }
            Step::Receive(v) => {
                if let Poll::Sent { told, age } = state.slots[v].poll {
                    self.receive(state, v, told);
                    state.slots[v].poll = Poll::Held { told, age, held: 0 };
                }
            }
            Step::Answer(v) => {
                if let Poll::Held { told, age, held } = state.slots[v].poll {
                    let news = self.answer(state, v, told, held);
                    state.slots[v].poll = Poll::Answered { news, age };
                }
            }
            Step::Deliver(v) => {
                let slot = &mut state.slots[v];
                if let Poll::Answered { news, age } = slot.poll {
                    if self.fault == Fault::LeaseBeforeApplying {
                        self.extend(slot, age);
                    } else if self.fault != Fault::AcknowledgedBeforeApplying {
                        self.apply(slot, news);
                    }
                    slot.poll = Poll::Applying { news, age };
                }
            }
            Step::Finish(v) => {
                let slot = &mut state.slots[v];
                if let Poll::Applying { news, age } = slot.poll {
                    if matches!(self.fault, Fault::LeaseBeforeApplying | Fault::AcknowledgedBeforeApplying) {
                        self.apply(slot, news);
                    }
                    if self.fault != Fault::LeaseBeforeApplying {
                        self.extend(slot, age);
                    }
                    slot.poll = Poll::None;
                }
            }
            Step::Anticipate(v) => {
                if let Poll::Applying { news, .. } = state.slots[v].poll {
                    self.receive(state, v, Some(news.mark));
                }
            }
            Step::GiveUp(v) => {
                let slot = &mut state.slots[v];
                let stray = match slot.poll {
                    Poll::Sent { told, .. } => Some(Stray { told, held: None }),
                    Poll::Held { told, held, .. } => Some(Stray { told, held: Some(held) }),
                    Poll::None | Poll::Answered { .. } | Poll::Applying { .. } => None,
                };
                slot.stray = slot.stray.or(stray.filter(|_| self.strays));
                slot.poll = Poll::None;
            }
            Step::ReceiveStray(v) => {
                if let Some(Stray { told, .. }) = state.slots[v].stray {
                    self.receive(state, v, told);
                    state.slots[v].stray = Some(Stray { told, held: Some(0) });
                }
            }
            Step::AnswerStray(v) => {
                if let Some(Stray { told, held: Some(held) }) = state.slots[v].stray.take() {
                    self.answer(state, v, told, held);
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
                    slot.remembers |= self.keeps(slot, mark);
                }
            }
            Step::ReadLease(v) => state.slots[v].use_after = Use::Leased { left: state.slots[v].lease },
            Step::LookIntoMemory(v) => {
                if let Use::Leased { left } = state.slots[v].use_after {
                    state.slots[v].use_after = Use::Found { left };
                }
            }
            Step::Judge(v) => state.slots[v].use_after = Use::Accepted,
        }
    }
}
