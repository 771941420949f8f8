//! Temporary databases of both kinds, with contents that no client could make, and a clock that tests
//! move by hand. No server: storage's own tests need none.

#![expect(clippy::expect_used, reason = "a test panics if it cannot be set up")]

mod clock;
mod contents;
mod database;
mod postgres;
mod seed;

pub use clock::ManualClock;
pub use contents::Contents;
pub use database::{Backend, TestDatabase};
pub use postgres::PostgresServer;
pub use seed::KeyCopy;
