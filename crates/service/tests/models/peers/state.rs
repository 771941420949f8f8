//! What the servers, the database and a verifier know at one moment.

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
    /// The key is expired, and the log of changes says so.
    pub dead: bool,
    /// The server that gives leases is on the list.
    pub listed: bool,
    /// Its beat was raised since the other server looked last.
    pub moved: bool,
}

/// The server that gives leases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Giver {
    /// For how long its last beat lets it give leases.
    pub until: u8,
    /// How often it came onto the list.
    pub stay: u8,
    pub beat: Beat,
    /// It has read in the log that the key changed.
    pub heard: bool,
    /// For how long leases may run that it gave; none if it knows of no verifier.
    pub given: Option<u8>,
}

/// A beat under way. `age` is how long ago it was begun, `listed` whether the list held then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Beat {
    #[default]
    None,
    Begun {
        age: u8,
        listed: bool,
    },
    /// It is in the database, and the server does not know it yet.
    Written {
        age: u8,
        listed: bool,
    },
    /// The server has left the list, and the database does not say so yet.
    Leaving,
}

/// The server that expires the key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Changer {
    /// For how long it has seen the other's beat stand still; none if it has not seen it.
    pub still: Option<u8>,
    pub expire: Expire,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Expire {
    #[default]
    None,
    /// It has read the list before the commit: a fault.
    ListRead {
        others: bool,
    },
    Committed {
        ago: u8,
        others: Option<bool>,
    },
    /// Its success has been read. `waited` says that leases of others were waited for.
    Succeeded {
        waited: bool,
    },
}

/// A verifier of the server that gives leases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Verifier {
    /// It was told of the change, and has forgotten what was before.
    pub told: bool,
    /// The key is in its memory, as live.
    pub remembers: bool,
    pub lease: u8,
    pub poll: Poll,
    pub look_up: LookUp,
    pub use_after: Use,
}

/// `age` is how long ago it was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Poll {
    #[default]
    None,
    Sent {
        age: u8,
    },
    /// The server has noted its stay on the list, if it is on it.
    Listed {
        age: u8,
        stay: Option<u8>,
    },
    /// It has read the log.
    ChangeLogRead {
        age: u8,
        stay: Option<u8>,
    },
    Answered {
        age: u8,
        lease: bool,
        told: bool,
    },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum LookUp {
    #[default]
    None,
    /// The server has taken the number of the last change: that of the key, or one before it.
    Numbered { told: bool },
    /// The answer that the key is live is on its way.
    Live { told: bool },
}

/// A use of the key that began after the success was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Use {
    #[default]
    None,
    /// The end of the lease was read. `left` is how far off it is.
    Leased {
        left: u8,
    },
    /// The key was in the memory.
    Found {
        left: u8,
    },
    Accepted,
}

impl State {
    /// A tick of all clocks, held at what makes no difference any more.
    pub(super) fn tick(&mut self, lease: u8, holds: u8) {
        let older = |age: &mut u8, most: u8| *age = age.saturating_add(1).min(most);
        self.giver.until = self.giver.until.saturating_sub(1);
        if let Some(given) = &mut self.giver.given {
            *given = given.saturating_sub(1);
        }
        match &mut self.giver.beat {
            Beat::None | Beat::Leaving => {}
            Beat::Begun { age, .. } | Beat::Written { age, .. } => older(age, holds),
        }
        if let Some(still) = &mut self.changer.still {
            older(still, holds + lease);
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
            | Poll::Listed { age, .. }
            | Poll::ChangeLogRead { age, .. }
            | Poll::Answered { age, .. } => {
                older(age, lease);
            }
        }
    }
}
