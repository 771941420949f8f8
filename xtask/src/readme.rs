//! `cargo xtask readme`: runs the README's five-minute tour, and the tour of each runbook.
//!
//! The tour of a page consists of all its fenced code blocks whose info string is exactly `sh tour`.
//! They run in order, as one bash script (`bash -euo pipefail`) in the repository's root. The script
//! starts its own server, with a line such as `keyward-server &`, and need not stop it: the task kills
//! everything that the script started. `keyward` and `keyward-server` are the programs just built; the
//! home directory is new and empty.

mod extract;
mod perform;

use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::outcome::{Failure, Outcome, no_arguments};
use crate::programs;

use perform::Tour;

/// The tour takes a reader five minutes, but a machine less. After this time it counts as hung.
const TIME_LIMIT: Duration = Duration::from_secs(120);

/// The folder of the runbooks. Each page in it has a tour, so that its commands keep working.
const RUNBOOKS: &str = "docs/runbooks";

/// The server's default address.
const ADDRESS: &str = "127.0.0.1:7080";

pub(crate) fn run(arguments: &[String]) -> Outcome {
    no_arguments("readme", arguments)?;
    // All pages are read first: a wrong mark in the last one must not wait for the tours before it.
    let tours = pages()?.iter().map(|page| read(page)).collect::<Result<Vec<Tour>, Failure>>()?;
    let programs = programs::build(&["keyward-server", "keyward-cli"], &["keyward", "keyward-server"])?;
    // One after the other, because all use the same address.
    for tour in &tours {
        refuse_a_taken_address()?;
        eprintln!("running the tour in {}", tour.page.display());
        tour.perform(&programs, TIME_LIMIT).map_err(|failed| {
            eprintln!("{}", failed.output.trim_end());
            Failure::Failed(format!("the tour in {} {}; its output is above", tour.page.display(), failed.why))
        })?;
    }
    Ok(())
}

/// The pages with a tour: the README, then the runbooks by name.
fn pages() -> Result<Vec<PathBuf>, Failure> {
    let cannot_list = || format!("list {RUNBOOKS}");
    let mut runbooks = Vec::new();
    for entry in fs::read_dir(RUNBOOKS).map_err(Failure::io(cannot_list()))? {
        let path = entry.map_err(Failure::io(cannot_list()))?.path();
        if path.extension() == Some(OsStr::new("md")) {
            runbooks.push(path);
        }
    }
    runbooks.sort();
    runbooks.insert(0, PathBuf::from("README.md"));
    Ok(runbooks)
}

fn read(page: &Path) -> Result<Tour, Failure> {
    let text = fs::read_to_string(page).map_err(Failure::io(format_args!("read {}", page.display())))?;
    let script = extract::script(&page.to_string_lossy(), &text).map_err(Failure::Failed)?;
    Ok(Tour { page: page.to_owned(), script })
}

/// If another server used the address, the tour's server would not start and the tour would talk to the
/// other one.
fn refuse_a_taken_address() -> Outcome {
    TcpListener::bind(ADDRESS)
        .map(drop)
        .map_err(Failure::io(format_args!("run the tour, because its server needs {ADDRESS}")))
}
