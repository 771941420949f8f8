//! What a server, its database and the verifiers know at one moment.

/// What has been told last, or is acknowledged: a server's start, and the number of a change.
pub(super) type Mark = (u8, u8);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    /// The database: is the key live, and was a lease ever noted?
    pub live: bool,
    pub noted: bool,
    pub server: Server,
    pub expire: Expire,
    /// The success of an expire has been read.
    pub success: Option<Success>,
    pub slots: Vec<Slot>,
}

/// The process that serves. It has a memory of its own, and loses it when it is killed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Server {
    /// Which start of the server it is.
    pub start: u8,
    /// Its cache may hold the key as live.
    pub caches_live: bool,
    /// The number of the last change.
    pub latest: u8,
    /// Bit n: the change of number n is one of the key.
    pub changes: u8,
    /// For how long leases may run that a server before this one gave.
    pub blind: u8,
}

/// How far the request has come that expires the key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Expire {
    /// How many of its steps are done.
    pub done: u8,
    pub number: u8,
}

/// How the verifiers stood when the success was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Success {
    /// One had confirmed the change.
    pub confirmed: bool,
    /// One had not, and still had the key in its memory.
    pub lapsed: bool,
}

/// A verifier, what the server knows of it, and what is under way between them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Slot {
    pub known: Option<Known>,
    pub applied: Option<Mark>,
    /// The key is in its memory, as live.
    pub remembers: bool,
    /// For how long it may use its memory.
    pub lease: u8,
    pub poll: Poll,
    /// A poll that the verifier has given up, and the server has not.
    pub stray: Option<Stray>,
    pub look_up: LookUp,
    pub use_after: Use,
}

/// What the server knows of a verifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Known {
    pub acknowledged: u8,
    /// What is left of its lease on the server's side.
    pub left: u8,
}

/// The poll that a verifier waits for. `age` is how long ago it was sent; `held`, where a server
/// counts from there, how long ago it came in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Poll {
    #[default]
    None,
    Sent {
        told: Option<Mark>,
        age: u8,
    },
    Held {
        told: Option<Mark>,
        age: u8,
        held: u8,
    },
    Answered {
        news: PollReply,
        age: u8,
    },
    /// What came is applied to the memory, and the lease is not extended yet; or the other way round.
    Applying {
        news: PollReply,
        age: u8,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct PollReply {
    pub mark: Mark,
    pub reset: bool,
    /// The key is among those to forget.
    pub forget: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Stray {
    pub told: Option<Mark>,
    /// None until it has come in.
    pub held: Option<u8>,
}

/// A look-up of the key for a verifier. One that found it dead is of no further interest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum LookUp {
    #[default]
    None,
    /// The server has taken the number of the last change.
    Numbered(Mark),
    /// The answer that the key is live is on its way.
    Live(Mark),
}

/// A use of the key that began after the success was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Use {
    #[default]
    None,
    /// The end of the lease was read. `left` is how far off it is.
    Leased { left: u8 },
    /// The key was in the memory.
    Found { left: u8 },
    /// It was accepted: what must not be.
    Accepted,
}

impl Server {
    pub(super) fn is_of_the_key(&self, number: u8) -> bool {
        self.changes & (1 << number) != 0
    }

    /// Numbers a change.
    pub(super) fn record(&mut self, of_the_key: bool) -> u8 {
        self.latest += 1;
        self.changes |= u8::from(of_the_key) << self.latest;
        self.latest
    }
}

impl State {
    /// A tick of all clocks, held at what makes no difference any more. Where no server counts from
    /// there, no time passes for polls that have come in.
    pub(super) fn tick(&mut self, lease: u8, counts_arrivals: bool) {
        let older = |age: &mut u8| *age = age.saturating_add(1).min(lease);
        self.server.blind = self.server.blind.saturating_sub(1);
        for slot in &mut self.slots {
            slot.lease = slot.lease.saturating_sub(1);
            if let Use::Leased { left } | Use::Found { left } = &mut slot.use_after {
                *left = left.saturating_sub(1);
            }
            if let Some(known) = &mut slot.known {
                known.left = known.left.saturating_sub(1);
            }
            match &mut slot.poll {
                Poll::None => {}
                Poll::Sent { age, .. } | Poll::Answered { age, .. } | Poll::Applying { age, .. } => older(age),
                Poll::Held { age, held, .. } => {
                    older(age);
                    if counts_arrivals {
                        older(held);
                    }
                }
            }
            if let Some(Stray { held: Some(held), .. }) = &mut slot.stray
                && counts_arrivals
            {
                older(held);
            }
        }
    }
}
