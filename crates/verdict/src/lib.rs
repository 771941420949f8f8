//! How a key is judged, and what may be remembered of keys.
//!
//! The server and the embedded verifiers of the SDK judge by this crate alone: a use has a [`Need`],
//! a key has [`Facts`], and [`Facts::judge`] says a [`Verdict`]. Both keep the facts of keys in a
//! [`Memory`], which forgets what changes, in order.
//!
//! **Invariant:** no I/O, no async and no clock. The instant of a judgement is an argument.
//!
//! **Invariant:** facts are remembered, and verdicts never are: each use is judged anew.

mod facts;
mod memory;
mod need;
mod verdict;

pub use facts::{Facts, Grant};
pub use memory::{Changed, Forgotten, Found, Id, Mark, Memory, Remembered, id};
pub use need::Need;
pub use verdict::Verdict;

/// Runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
