//! What the databases themselves hold to, on both.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails loudly")]

mod changes;
mod look_up;
mod plans;
mod transactions;
mod triggers;
