//! Tests of both databases: transactions, triggers, query plans and the change log.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failing test panics")]

mod changes;
mod locks;
mod look_up;
mod plans;
mod support;
mod transactions;
mod triggers;
