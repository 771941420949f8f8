//! Uses a key without pause through every server and verifier while it is expired. No call that begins
//! after the 204 was read may be accepted. Servers and verifiers are processes, so that tests can kill,
//! freeze and disconnect them.

mod callers;
mod disturbances;
mod round;
mod stage;

pub use callers::CONNECTIONS;
pub use stage::{Expired, LEASE, Stage};
