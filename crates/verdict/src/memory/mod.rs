//! The cache of facts about keys.

mod order;
mod shard;

pub use order::{Changed, Forgotten, Found, Id, Mark, Memory, Remembered, id};

/// The locks of the memory. The models in `tests/models` compile the same source with other locks in
/// this place, whose schedule they control.
mod sync {
    pub(super) use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
}

#[cfg(test)]
mod tests;
