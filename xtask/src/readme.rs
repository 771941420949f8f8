//! `cargo xtask readme`: runs the README's five-minute tour as it is written.
//!
//! The tour is every fenced code block of `README.md` whose info string is exactly `sh tour`, in
//! their order, as one bash script (`bash -euo pipefail`) in the repository's root. It starts its
//! server itself, with a line such as `keyward-server &`, and need not stop it: after the script
//! everything it started is killed. `keyward` and `keyward-server` are the ones just built; the home
//! directory is a new, empty one.

mod extract;
mod perform;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::outcome::{Failure, Outcome, no_arguments};
use crate::sh;

/// Five minutes for a reader; for a machine, longer than this is a tour that hangs.
const TIME_LIMIT: Duration = Duration::from_secs(120);

const PROGRAMS: [&str; 2] = ["keyward", "keyward-server"];

/// Where the server listens unless told otherwise.
const ADDRESS: &str = "127.0.0.1:7080";

pub(crate) fn run(arguments: &[String]) -> Outcome {
    no_arguments("readme", arguments)?;
    let readme = fs::read_to_string("README.md").map_err(Failure::io("read README.md"))?;
    let script = extract::script(&readme).map_err(Failure::Failed)?;
    sh::run(&mut sh::cargo(["build", "-p", "keyward-server", "-p", "keyward-cli"]))?;
    let programs = built_programs()?;
    refuse_a_taken_address()?;
    perform::perform(&script, &programs, TIME_LIMIT).map_err(|failed| {
        eprintln!("{}", failed.output.trim_end());
        Failure::Failed(format!("the tour in README.md {}; its output is above", failed.why))
    })
}

/// The folder of the programs just built. They have to be there: the tour would run others of the
/// same name, found further along PATH.
fn built_programs() -> Result<PathBuf, Failure> {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let folder =
        std::path::absolute(Path::new(&target).join("debug")).map_err(Failure::io("find the target folder"))?;
    match PROGRAMS.iter().find(|program| !folder.join(program).is_file()) {
        None => Ok(folder),
        Some(program) => Err(Failure::Failed(format!("{} has no {program} after the build", folder.display()))),
    }
}

/// With another server at the address, the tour's would not start, and the tour would talk to that one.
fn refuse_a_taken_address() -> Outcome {
    TcpListener::bind(ADDRESS)
        .map(drop)
        .map_err(Failure::io(format_args!("run the tour, whose server listens on {ADDRESS}")))
}
