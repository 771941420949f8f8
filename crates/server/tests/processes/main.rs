//! Servers and embedded verifiers as processes of their own: killed, frozen, cut off.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails loudly")]
#![expect(clippy::print_stdout, reason = "figures, for those who ask for them with --nocapture")]

mod barrier;
mod crash;
mod resets;

const PROGRAM: &str = env!("CARGO_BIN_EXE_keyward-server");
