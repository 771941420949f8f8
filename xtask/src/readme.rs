//! `cargo xtask readme`: runs the README's five-minute tour.
//!
//! The tour consists of all fenced code blocks in `README.md` whose info string is exactly `sh tour`.
//! They run in order, as one bash script (`bash -euo pipefail`) in the repository's root. The script
//! starts its own server, with a line such as `keyward-server &`, and need not stop it: the task kills
//! everything that the script started. `keyward` and `keyward-server` are the programs just built; the
//! home directory is new and empty.

mod extract;
mod perform;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::outcome::{Failure, Outcome, no_arguments};
use crate::sh;

/// The tour takes a reader five minutes, but a machine less. After this time it counts as hung.
const TIME_LIMIT: Duration = Duration::from_secs(120);

const PROGRAMS: [&str; 2] = ["keyward", "keyward-server"];

/// The server's default address.
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

/// The folder with the programs just built. They must exist, or the tour would run other programs with
/// these names from PATH.
fn built_programs() -> Result<PathBuf, Failure> {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let folder =
        std::path::absolute(Path::new(&target).join("debug")).map_err(Failure::io("find the target folder"))?;
    match PROGRAMS.iter().find(|program| !folder.join(program).is_file()) {
        None => Ok(folder),
        Some(program) => Err(Failure::Failed(format!("the build did not create {program} in {}", folder.display()))),
    }
}

/// If another server used the address, the tour's server would not start and the tour would talk to the
/// other one.
fn refuse_a_taken_address() -> Outcome {
    TcpListener::bind(ADDRESS)
        .map(drop)
        .map_err(Failure::io(format_args!("run the tour, because its server needs {ADDRESS}")))
}
