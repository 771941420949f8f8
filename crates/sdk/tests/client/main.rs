//! The client against a server that says what it is told to: what goes out, and what is made of
//! what comes back.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly: that is what they are for")]

mod answers;
mod lists;
mod requests;
mod retries;
mod server;
mod verifier;
