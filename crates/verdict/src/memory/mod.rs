//! What is remembered of keys: the memory and what it is built on.

mod order;
mod shard;

pub use order::{Changed, Forgotten, Found, Id, Mark, Memory, Remembered, id};

/// What the memory synchronises by. The models in `tests/models` compile the same source with
/// primitives in this place whose schedule they control.
mod sync {
    pub(super) use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
}

#[cfg(test)]
mod tests;
