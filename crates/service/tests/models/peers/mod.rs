//! Several servers on one PostgreSQL database, as `service::verifiers::peers` has it, searched in
//! every order of its steps: one server gives leases, another expires the key, and takes the first
//! off the list when its beat stands still.
//!
//! Time is as in the model of the lease: all clocks run at the same rate, none is compared with
//! another, and between any two steps any time may pass. What a server and its own verifiers do
//! among themselves is the model of the lease; here a change is told as soon as it is in the log
//! that was read.

mod model;
mod search;
mod state;
mod steps;
