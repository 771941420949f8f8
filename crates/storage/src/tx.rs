//! Transactions, with their changes and recorded events.

use std::ops::{Deref, DerefMut};

use keyward_domain::event::{Event, Origin};
use keyward_domain::{KeyId, UserId};

use crate::audit;
use crate::conn::Conn;
use crate::error::StoreError;

/// An open transaction. Only [`Store::write`](crate::Store::write) and
/// [`Store::rehearse`](crate::Store::rehearse) create one, and every function that changes something
/// takes one, so a change outside a transaction does not compile.
///
/// It dereferences to its [`Conn`], for queries.
///
/// **Invariant:** a function that changes a key or a user records an event here. The audit entries
/// are written from the events in one batch just before the COMMIT; if that fails, the transaction
/// is rolled back.
#[derive(Debug)]
pub struct Tx<'c> {
    conn: Conn<'c>,
    changes: Changes,
    events: Vec<(Origin, Event)>,
}

/// The changes of a transaction that caches must apply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Keys to evict: ended, deleted or slid.
    pub keys: Vec<KeyId>,
    /// Those of `keys` that this transaction has ended.
    pub ended: Vec<KeyId>,
    /// Users whose keys must all be evicted.
    pub users: Vec<UserId>,
    /// Whether every key must be evicted.
    pub everything: bool,
    /// Whether the response promises that no cache accepts the old state any more. The request must
    /// then wait for every cache that may hold it, even if the transaction changed nothing: the key
    /// may have been ended by another request that is still waiting.
    pub promises_end: bool,
    /// The number of audit entries that the transaction writes.
    pub entries: usize,
}

impl Changes {
    /// Whether nothing that a cache may hold was changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.users.is_empty() && !self.everything
    }
}

/// How a transaction ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The changes are on disk.
    Committed(Changes),
    /// Nothing changed.
    RolledBack,
    /// The COMMIT failed or its result was lost: the changes may be on disk or not.
    Unknown,
}

/// The result of a rehearsed transaction.
#[derive(Debug)]
pub struct Rehearsed<T> {
    /// The use case's result.
    pub done: T,
    /// The changes it would have made.
    pub changes: Changes,
    /// The events it would have recorded.
    pub events: Vec<Event>,
}

impl<'c> Tx<'c> {
    pub(crate) fn new(conn: Conn<'c>) -> Self {
        Self { conn, changes: Changes::default(), events: Vec::new() }
    }

    /// Records an event. The functions of this crate record their own; a use case calls this only for
    /// an event that changes no row, such as a failed login.
    pub fn record(&mut self, origin: &Origin, event: Event) {
        self.events.push((origin.clone(), event));
    }

    /// Sets [`Changes::promises_end`].
    pub fn promise_end(&mut self) {
        self.changes.promises_end = true;
    }

    pub(crate) fn conn(&mut self) -> &mut Conn<'c> {
        &mut self.conn
    }

    pub(crate) fn touch_key(&mut self, id: KeyId) {
        self.changes.keys.push(id);
    }

    pub(crate) fn touch_ended_key(&mut self, id: KeyId) {
        self.changes.ended.push(id.clone());
        self.touch_key(id);
    }

    pub(crate) fn touch_everything(&mut self) {
        self.changes.everything = true;
    }

    pub(crate) fn touch_user(&mut self, id: UserId) {
        self.changes.users.push(id);
    }

    /// Writes the audit entries. Called last before the COMMIT.
    pub(crate) fn finish(mut self) -> Result<(Changes, Vec<(Origin, Event)>), StoreError> {
        audit::write(&mut self.conn, &self.events)?;
        self.changes.entries = self.events.len();
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
