//! Checks the promise of the barrier by searching models and by random histories: after the success
//! of an expire, no server and no verifier accepts the key.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing test panics")]

mod acts;
mod changes;
mod given_up;
mod histories;
mod lease;
mod peers;
mod world;
