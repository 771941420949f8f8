//! Servers and embedded verifiers as separate processes, which tests kill, freeze and disconnect.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]
#![expect(clippy::print_stdout, reason = "--nocapture shows the figures")]

mod backup;
mod barrier;
mod clock;
mod crash;
mod database;
mod disk;
mod incident;
mod log;
mod proofs;
mod proxies;
mod resets;
mod systemd;

const PROGRAM: &str = env!("CARGO_BIN_EXE_keyward-server");
