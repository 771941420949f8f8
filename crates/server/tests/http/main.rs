//! Tests of the server over HTTP, on both databases. The modules follow the paths under `/api/v2`.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

mod audit;
mod conventions;
mod embedded;
mod hostile;
mod keys;
mod support;
mod users;
mod verify;
mod who_may;
