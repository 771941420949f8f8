//! A scripted incident: 50 keys of a service account have leaked, among the keys of many users. The operator
//! finds, locks and ends them with nothing but the command line, while they are in use.
//!
//! The leaked keys are used without pause through the server's API, through `/authz`, and through embedded
//! verifiers in two other processes. The test prints how long each step took. There are 20 000 keys of 1 000
//! users; with `KEYWARD_INCIDENT_KEYS=200000`, which `cargo xtask bench incident` sets, 200 000 of 10 000.
//!
//! This program has no test harness, because it is three programs: the test; `keyward-server`, if it is
//! started under this name; and an embedded verifier. The server's own program is built by another package,
//! so that its path is unknown here, and it may not be built.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails loudly")]
#![expect(clippy::print_stdout, reason = "shows the figures")]

mod callers;
mod harness;
mod operator;
mod scene;
mod script;
#[path = "../cli/words.rs"]
mod words;

use std::env;
use std::path::Path;
use std::process::ExitCode;

use keyward_rig::run_as_verifier_if_asked;
use keyward_test_support::Backend;

/// The name under which this program is the server.
const SERVER: &str = "keyward-server";

fn main() -> ExitCode {
    let name = env::args_os().next().unwrap_or_default();
    if Path::new(&name).file_name().is_some_and(|name| name == SERVER) {
        return keyward_server::main(env::args_os());
    }
    run_as_verifier_if_asked();
    harness::run(&[
        ("leaked_keys_are_found_locked_and_ended_on_sqlite", || script::run(Backend::Sqlite)),
        ("leaked_keys_are_found_locked_and_ended_on_postgres", || script::run(Backend::Postgres)),
    ]);
    ExitCode::SUCCESS
}
