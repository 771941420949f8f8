//! Judges API keys, and caches facts about them.
//!
//! Only this crate judges keys, in the server and in the SDK's embedded verifiers. A use has a
//! [`Need`], a key has [`Facts`], and [`Facts::judge`] returns a [`Verdict`]. Both cache facts in a
//! [`Memory`], which evicts the keys of a change in the order of changes.
//!
//! **Invariant:** no I/O, no async and no clock. The time of a judgement is an argument.
//!
//! **Invariant:** facts are cached, but verdicts never: each use is judged again.

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
