//! Checks the promise of the barrier by searching models and by random histories: after the success
//! of an expire, no server and no verifier accepts the key. The same holds for a lock until it is removed.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a failing test panics")]

mod acts;
mod changes;
mod embedded;
mod given_up;
mod histories;
mod last_owner;
mod lease;
mod locks;
mod peers;
mod races;
mod world;
