//! The lease between a server and embedded verifiers, as docs/verification.md has it and
//! `service::verifiers` and `sdk::verify` do it, searched in every order of its steps.
//!
//! All clocks run at the same rate, and between any two steps any time may pass: so a process that
//! is stopped, a message that is late and a thread that waits are all in it. Times are what is left
//! of a lease, never the time of day, so that the search ends although time does not. The one key
//! is good until it is expired.

mod model;
mod search;
mod state;
mod steps;
