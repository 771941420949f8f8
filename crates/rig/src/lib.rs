//! Servers and embedded verifiers as processes, under load: what the benchmarks and the tests of the
//! barrier run on.

#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark or a test panics if it cannot be set up"
)]

pub mod barrier;
pub mod bench;
mod verifier_process;

pub use verifier_process::{VerifierProcess, run_as_verifier_if_asked};
