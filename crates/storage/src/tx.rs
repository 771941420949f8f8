//! A transaction: what it changed, and the events that it records.

use std::ops::{Deref, DerefMut};

use keyward_domain::event::{Event, Origin};
use keyward_domain::{KeyId, UserId};

use crate::audit;
use crate::conn::Conn;
use crate::error::StoreError;

/// A transaction under way. [`Store::write`](crate::Store::write) and
/// [`Store::rehearse`](crate::Store::rehearse) alone make one, and every function that changes
/// something takes one: no change compiles outside a transaction.
///
/// It dereferences to the [`Conn`] that it runs on, for queries.
///
/// **Invariant:** what changes a key or a user records an event here. The audit entries are written
/// from the events just before the COMMIT, in one batch; if they cannot be written, nothing has
/// changed.
#[derive(Debug)]
pub struct Tx<'c> {
    conn: Conn<'c>,
    changes: Changes,
    events: Vec<(Origin, Event)>,
}

/// What a transaction really changed, as those who remember keys must know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Keys that are judged anew: ended, deleted, or slid.
    pub keys: Vec<KeyId>,
    /// Users whose keys, all of them, are judged anew.
    pub users: Vec<UserId>,
    /// Whether the answer promises that nobody accepts a key any more. It must then wait for
    /// everybody who may still remember what was before. This may be so although the transaction
    /// changed nothing: the key was dead already, and whoever ended it may still be waiting.
    pub promises_end: bool,
}

impl Changes {
    /// Whether nothing that anybody remembers was changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.users.is_empty()
    }
}

/// How a transaction ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its changes are on disk.
    Committed(Changes),
    /// Nothing has changed.
    RolledBack,
    /// The COMMIT was not answered: its changes may be on disk or not.
    Unknown,
}

/// What a rehearsed transaction would have done.
#[derive(Debug)]
pub struct Rehearsed<T> {
    /// What the use case answered.
    pub done: T,
    /// What it would have changed.
    pub changes: Changes,
    /// What would have happened.
    pub events: Vec<Event>,
}

impl<'c> Tx<'c> {
    pub(crate) fn new(conn: Conn<'c>) -> Self {
        Self { conn, changes: Changes::default(), events: Vec::new() }
    }

    /// Records what happened. The changes of this crate's modules do it themselves; a use case does
    /// it only for what changes no row, such as a failed login.
    pub fn record(&mut self, origin: &Origin, event: Event) {
        self.events.push((origin.clone(), event));
    }

    /// Says that the answer promises an end; see [`Changes::promises_end`].
    pub fn promise_end(&mut self) {
        self.changes.promises_end = true;
    }

    pub(crate) fn conn(&mut self) -> &mut Conn<'c> {
        &mut self.conn
    }

    pub(crate) fn touch_key(&mut self, id: KeyId) {
        self.changes.keys.push(id);
    }

    pub(crate) fn touch_user(&mut self, id: UserId) {
        self.changes.users.push(id);
    }

    /// Writes the audit entries. The last thing before the COMMIT.
    pub(crate) fn finish(mut self) -> Result<(Changes, Vec<(Origin, Event)>), StoreError> {
        audit::write(&mut self.conn, &self.events)?;
        Ok((self.changes, self.events))
    }
}

impl<'c> Deref for Tx<'c> {
    type Target = Conn<'c>;

    fn deref(&self) -> &Conn<'c> {
        &self.conn
    }
}

impl<'c> DerefMut for Tx<'c> {
    fn deref_mut(&mut self) -> &mut Conn<'c> {
        &mut self.conn
    }
}
