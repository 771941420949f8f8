//! The state of the servers, the database and a verifier.

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub row: Row,
    pub giver: Giver,
    pub changer: Changer,
    pub verifier: Verifier,
}

/// The database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Row {
    /// Whether the key is expired and the change log has an entry for it.
    pub dead: bool,
    /// Whether the granting server is registered.
    pub listed: bool,
    /// Whether its heartbeat changed since the other server last read the list.
    pub heartbeat_changed: bool,
}

/// The server that grants leases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Giver {
    /// How long its last heartbeat is still valid.
    pub until: u8,
    /// The number of its registrations so far.
    pub registration: u8,
    pub heartbeat: Heartbeat,
    /// Whether it has read the key's change in the change log.
    pub read_change: bool,
    /// The time left of the leases that it granted; none if it has no verifier.
    pub granted: Option<u8>,
}

/// A heartbeat in progress. `age` is the time since it started; `listed` is whether the server was
/// registered then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Heartbeat {
    #[default]
    None,
    Started {
        age: u8,
        listed: bool,
    },
    /// The heartbeat is in the database, but the server does not know it yet.
    Written {
        age: u8,
        listed: bool,
    },
    /// The server has deregistered, but the database does not have the change yet.
    Deregistering,
}

/// The server that expires the key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Changer {
    /// How long the other server's heartbeat has not changed; none if it was never read.
    pub unchanged_for: Option<u8>,
    pub expire: Expire,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Expire {
    #[default]
    None,
    /// The list was read before the commit: a fault.
    ListRead {
        others: bool,
    },
    Committed {
        ago: u8,
        others: Option<bool>,
    },
    /// The client has read the success. `waited`: whether the expire waited for leases of others.
    Succeeded {
        waited: bool,
    },
}

/// A verifier of the granting server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Verifier {
    /// Whether it has applied the change.
    pub has_change: bool,
    /// Whether the key is in its cache as live.
    pub cached: bool,
    pub lease: u8,
    pub poll: Poll,
    pub look_up: LookUp,
    pub use_after: Use,
}

/// A poll. `age` is the time since it was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Poll {
    #[default]
    None,
    Sent {
        age: u8,
    },
    /// The server has read its current registration, if it has one.
    Registered {
        age: u8,
        registration: Option<u8>,
    },
    /// The server has read the change log.
    ChangeLogRead {
        age: u8,
        registration: Option<u8>,
    },
    Answered {
        age: u8,
        lease: bool,
        has_change: bool,
    },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum LookUp {
    #[default]
    None,
    /// The server has read the number of the last change. `has_change`: whether this is the key's change.
    Numbered { has_change: bool },
    /// The answer that the key is live is in transit.
    Live { has_change: bool },
}

/// A use of the key that began after the success was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Use {
    #[default]
    None,
    /// The verifier has read the end of the lease, `left` ticks away.
    Leased {
        left: u8,
    },
    /// The key was in the cache.
    Found {
        left: u8,
    },
    Accepted,
}

impl State {
    /// Advances all clocks by a tick. Ages stop where greater ages make no difference.
    pub(super) fn tick(&mut self, lease: u8, holds: u8) {
        let older = |age: &mut u8, most: u8| *age = age.saturating_add(1).min(most);
        self.giver.until = self.giver.until.saturating_sub(1);
        if let Some(granted) = &mut self.giver.granted {
            *granted = granted.saturating_sub(1);
        }
        match &mut self.giver.heartbeat {
            Heartbeat::None | Heartbeat::Deregistering => {}
            Heartbeat::Started { age, .. } | Heartbeat::Written { age, .. } => older(age, holds),
        }
        if let Some(unchanged_for) = &mut self.changer.unchanged_for {
            older(unchanged_for, holds + lease);
        }
        if let Expire::Committed { ago, .. } = &mut self.changer.expire {
            older(ago, lease);
        }
        self.verifier.lease = self.verifier.lease.saturating_sub(1);
        if let Use::Leased { left } | Use::Found { left } = &mut self.verifier.use_after {
            *left = left.saturating_sub(1);
        }
        match &mut self.verifier.poll {
            Poll::None => {}
            Poll::Sent { age }
            | Poll::Registered { age, .. }
            | Poll::ChangeLogRead { age, .. }
            | Poll::Answered { age, .. } => {
                older(age, lease);
            }
        }
    }
}
