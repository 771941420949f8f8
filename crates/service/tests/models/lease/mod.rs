//! A model of the lease between a server and its embedded verifiers, as docs/verification.md describes
//! it and `service::verifiers` and `sdk::verify` implement it. The search tries every order of steps.
//!
//! All clocks run at the same rate, and any time may pass between two steps. This covers stopped
//! processes, late messages and waiting threads. The state has the time left of a lease, never the
//! time of day, so that the number of states is finite. There is one key; it is live until it is
//! expired.

mod model;
mod search;
mod state;
mod steps;
