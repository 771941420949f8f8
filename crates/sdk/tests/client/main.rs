//! The client against a server with prepared answers: what the client sends and how it reads the
//! answers.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod answers;
mod incidents;
mod lists;
mod locks;
mod requests;
mod retries;
mod server;
mod verifier;
