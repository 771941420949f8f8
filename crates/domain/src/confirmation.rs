//! Who confirmed that a key is dead.

use uuid::Uuid;

use crate::clock::Timestamp;

/// A verifier that could have accepted a key until it confirmed the key's end, or its lease expired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// The verifier's id.
    pub id: Uuid,
    /// The name that the verifier gave.
    pub name: String,
    /// When it confirmed that it no longer accepts the key; none if its lease expired before.
    pub confirmed_at: Option<Timestamp>,
}

/// The result of waiting, after keys were ended, until nobody accepts them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation {
    /// When nobody accepted the keys any more.
    pub at: Timestamp,
    /// How long the wait was, in milliseconds.
    pub waited_ms: i64,
    /// The verifiers that were connected.
    pub witnesses: Vec<Witness>,
}

impl Confirmation {
    /// How many verifiers confirmed.
    #[must_use]
    pub fn confirmed(&self) -> usize {
        self.witnesses.iter().filter(|witness| witness.confirmed_at.is_some()).count()
    }

    /// How many verifiers did not, and whose lease expired.
    #[must_use]
    pub fn lapsed(&self) -> usize {
        self.witnesses.len() - self.confirmed()
    }
}
