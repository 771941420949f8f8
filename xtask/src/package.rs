//! `cargo xtask package`: packages the crates that services embed, and builds each from its package
//! alone, as its users will.

use std::fs;
use std::path::{Path, PathBuf};

use crate::outcome::{Failure, Outcome, no_arguments};
use crate::sh;

/// The SDK and what it depends on, in the order in which they would be published.
const PACKAGES: [&str; 5] = ["keyward-domain", "keyward-transparency", "keyward-verdict", "keyward-api", "keyward-sdk"];

pub(crate) fn run(arguments: &[String]) -> Outcome {
    no_arguments("package", arguments)?;
    forget_unpacked()?;
    // A folder of its own, and a new one: cargo would also take what it has built from those packages.
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let target = target.join("packages");
    if target.is_dir() {
        remove(&target)?;
    }
    let packages = PACKAGES.iter().flat_map(|package| ["-p", package]);
    // What is not committed yet is packaged as well: CI checks a clean checkout.
    sh::run(sh::cargo(["package", "--quiet", "--allow-dirty", "--target-dir"]).arg(&target).args(packages))
}

/// Removes the packages that cargo has unpacked in an earlier run. It finds them by the path of the checkout
/// and by their version, and does not see that a package of the same version has another content now.
fn forget_unpacked() -> Outcome {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let Some(home) = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo"))) else {
        return Err(Failure::failed("neither CARGO_HOME nor HOME is set"));
    };
    for kind in ["src", "cache"] {
        for registry in entries(&home.join("registry").join(kind))? {
            // The registry of a package's own workspace has no host, so its name begins with a hyphen.
            if file_name(&registry).starts_with('-') {
                for package in entries(&registry)? {
                    if PACKAGES.iter().any(|name| file_name(&package).starts_with(&format!("{name}-"))) {
                        remove(&package)?;
                    }
                }
            }
        }
    }
    Ok(())
}

/// What is in a folder; nothing if there is no such folder.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let cannot = || format!("list {}", folder.display());
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry.map_err(Failure::io(cannot()))?.path())).collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Failure::io(cannot())(error)),
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn remove(path: &Path) -> Outcome {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    removed.map_err(Failure::io(format_args!("remove {}", path.display())))
}
