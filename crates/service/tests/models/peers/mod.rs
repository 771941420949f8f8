//! A model of several servers on one PostgreSQL database, as `service::coherence::cluster` implements
//! it. One server grants leases. Another expires the key, and deregisters the first if its heartbeat
//! stops. The search tries every order of steps.
//!
//! Time is as in the model of the lease: all clocks run at the same rate, clocks are never compared,
//! and any time may pass between two steps. The model of the lease covers a server and its own
//! verifiers; here a verifier gets a change with the next answer after the server has read it in the
//! change log.

mod model;
mod search;
mod state;
mod steps;
