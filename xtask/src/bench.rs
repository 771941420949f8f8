//! `cargo xtask bench`: runs one of the benchmarks of `keyward-rig`, or lists them.

use std::fs;
use std::path::Path;

use crate::outcome::{Failure, Outcome};
use crate::sh;

const FOLDER: &str = "crates/rig/benches";

/// A test that also measures the steps of an operator. In the test suite it has fewer keys.
const SCRIPTED_INCIDENT: [&str; 6] = ["test", "--release", "-p", "keyward-cli", "--test", "incident"];

pub(crate) fn run(arguments: &[String]) -> Outcome {
    let benches = benches(Path::new(FOLDER))?;
    let Some((name, rest)) = arguments.split_first() else {
        println!("{}", listed(&benches));
        return Ok(());
    };
    if !benches.iter().any(|bench| bench.name == *name) {
        return Err(Failure::Usage(format!("unknown benchmark \"{name}\"\n\n{}", listed(&benches))));
    }
    sh::run(sh::cargo(["bench", "-p", "keyward-rig", "--bench", name, "--"]).args(rest))?;
    if name == "incident" && !rest.iter().any(|argument| argument == "--quick") {
        sh::run(sh::cargo(SCRIPTED_INCIDENT).env("KEYWARD_INCIDENT_KEYS", "200000"))?;
    }
    Ok(())
}

struct Bench {
    name: String,
    about: String,
}

/// Lists the benchmarks, one per file. A file's first `//!` line describes it.
fn benches(folder: &Path) -> Result<Vec<Bench>, Failure> {
    let cannot_list = || format!("list {}", folder.display());
    let mut benches = Vec::new();
    for entry in fs::read_dir(folder).map_err(Failure::io(cannot_list()))? {
        let path = entry.map_err(Failure::io(cannot_list()))?.path();
        let (Some(name), Some("rs")) =
            (path.file_stem().and_then(|name| name.to_str()), path.extension().and_then(|end| end.to_str()))
        else {
            continue;
        };
        let source = fs::read_to_string(&path).map_err(Failure::io(format_args!("read {}", path.display())))?;
        let about = source.lines().next().and_then(|line| line.strip_prefix("//!")).unwrap_or_default().trim();
        benches.push(Bench { name: name.to_owned(), about: about.to_owned() });
    }
    benches.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(benches)
}

fn listed(benches: &[Bench]) -> String {
    let lines = benches.iter().map(|bench| format!("\n  {:<22} {}", bench.name, bench.about));
    format!("Usage: cargo xtask bench <name> [args…]\n\nBenchmarks:{}", lines.collect::<String>())
}
