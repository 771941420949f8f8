//! Tests of both databases: transactions, triggers, query plans and the change log.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a failing test panics")]

mod changes;
mod look_up;
mod plans;
mod transactions;
mod triggers;
