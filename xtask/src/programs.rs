//! The programs of this repository, as cargo has just built them.

use std::path::{Path, PathBuf};

use crate::outcome::Failure;
use crate::sh;

/// Builds packages and returns the folder with their programs. The programs must exist, or a task would
/// run other programs with these names from PATH.
pub(crate) fn build(packages: &[&str], programs: &[&str]) -> Result<PathBuf, Failure> {
    let flags = packages.iter().flat_map(|package| ["-p", package]);
    sh::run(sh::cargo(["build"]).args(flags))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let folder =
        std::path::absolute(Path::new(&target).join("debug")).map_err(Failure::io("find the target folder"))?;
    match programs.iter().find(|program| !folder.join(program).is_file()) {
        None => Ok(folder),
        Some(program) => Err(Failure::Failed(format!("the build did not create {program} in {}", folder.display()))),
    }
}
