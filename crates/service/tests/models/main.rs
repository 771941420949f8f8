//! The promise of a barrier, shown on models that are searched, and on histories drawn at random:
//! who asks after the success of an expire is never told that the key is good.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails loudly")]

mod acts;
mod changes;
mod given_up;
mod histories;
mod lease;
mod peers;
mod world;
