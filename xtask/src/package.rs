//! `cargo xtask package`: packages the crates that services embed, and builds each from its package
//! alone, as its users will.

use crate::outcome::{Outcome, no_arguments};
use crate::sh;

/// The SDK and what it depends on, in the order in which they would be published.
const PACKAGES: [&str; 4] = ["keyward-domain", "keyward-verdict", "keyward-api", "keyward-sdk"];

pub(crate) fn run(arguments: &[String]) -> Outcome {
    no_arguments("package", arguments)?;
    let packages = PACKAGES.iter().flat_map(|package| ["-p", package]);
    // What is not committed yet is packaged as well: CI checks a clean checkout.
    sh::run(sh::cargo(["package", "--quiet", "--allow-dirty"]).args(packages))
}
