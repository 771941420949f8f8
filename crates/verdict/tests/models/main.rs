//! The memory's rule of order, shown on models that are searched.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails loudly")]

mod memory;
