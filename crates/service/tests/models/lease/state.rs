//! The state of the server, its database and the verifiers.

/// A position in the changes: a server's start and the number of a change.
pub(super) type Mark = (u8, u8);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    /// Whether the key is live in the database.
    pub live: bool,
    /// Whether a lease was ever stored in the database.
    pub lease_stored: bool,
    pub server: Server,
    pub expire: Expire,
    /// Set when the client has read the success of an expire.
    pub success: Option<Success>,
    pub slots: Vec<Slot>,
}

/// The server process. It loses its memory when it is killed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Server {
    /// The number of the server's start.
    pub start: u8,
    /// Whether its cache may have the key as live.
    pub caches_live: bool,
    /// The number of the last change.
    pub latest: u8,
    /// Bit n: whether the change with number n affects the key.
    pub changes: u8,
    /// The time left of leases that a previous server may have granted.
    pub unknown_leases: u8,
}

/// The progress of the expire request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Expire {
    /// The number of completed steps.
    pub done: u8,
    pub number: u8,
}

/// The state of the verifiers when the expire succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Success {
    /// Whether a verifier had acknowledged the change and held a lease.
    pub confirmed: bool,
    /// Whether a verifier had not acknowledged it and still cached the key.
    pub lapsed: bool,
}

/// A verifier, the server's record of it, and the messages between them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Slot {
    pub registered: Option<Registered>,
    pub applied: Option<Mark>,
    /// Whether the key is in its cache as live.
    pub cached: bool,
    /// How long it may use its cache.
    pub lease: u8,
    pub poll: Poll,
    /// A poll that the verifier has dropped but the server has not.
    pub stray: Option<Stray>,
    pub look_up: LookUp,
    pub use_after: Use,
}

/// The server's record of a verifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Registered {
    pub acknowledged: u8,
    /// The time left of its lease, as the server counts it.
    pub left: u8,
}

/// The poll that a verifier waits for. `age` is the time since it was sent; `held` is the time since
/// it arrived, if a fault counts from there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Poll {
    #[default]
    None,
    Sent {
        applied: Option<Mark>,
        age: u8,
    },
    Held {
        applied: Option<Mark>,
        age: u8,
        held: u8,
    },
    Answered {
        reply: PollReply,
        age: u8,
    },
    /// The changes are applied but the lease is not extended yet, or the reverse.
    Applying {
        reply: PollReply,
        age: u8,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct PollReply {
    pub mark: Mark,
    pub reset: bool,
    /// Whether the key must be evicted.
    pub evict: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Stray {
    pub applied: Option<Mark>,
    /// The time since it arrived; none until it arrives.
    pub held: Option<u8>,
}

/// A lookup of the key for a verifier. The model leaves out lookups that find the key dead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum LookUp {
    #[default]
    None,
    /// The server has read the number of the last change.
    Numbered(Mark),
    /// The answer that the key is live is in transit.
    Live(Mark),
}

/// A use of the key that began after the success was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Use {
    #[default]
    None,
    /// The verifier has read the end of the lease, `left` ticks away.
    Leased { left: u8 },
    /// The key was in the cache.
    Found { left: u8 },
    /// The key was accepted, which breaks the promise.
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
    /// Advances all clocks by a tick. Ages stop at the lease, because greater ages make no difference.
    /// `held` stays 0 unless a fault uses it.
    pub(super) fn tick(&mut self, lease: u8, counts_arrivals: bool) {
        let older = |age: &mut u8| *age = age.saturating_add(1).min(lease);
        self.server.unknown_leases = self.server.unknown_leases.saturating_sub(1);
        for slot in &mut self.slots {
            slot.lease = slot.lease.saturating_sub(1);
            if let Use::Leased { left } | Use::Found { left } = &mut slot.use_after {
                *left = left.saturating_sub(1);
            }
            if let Some(registered) = &mut slot.registered {
                registered.left = registered.left.saturating_sub(1);
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
