//! Checks the cache's order of changes and inserts by searching models.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failing test panics")]

mod memory;
