//! A key that is used flat out through every door, while it is expired: of the calls begun after
//! the 204 was read, none may be accepted. Servers and verifiers are processes, to be killed,
//! frozen and cut off.

mod callers;
mod disturbances;
mod round;
mod stage;

pub use callers::CONNECTIONS;
pub use stage::{Expired, LEASE, Stage};
