//! `cargo xtask test`: runs all tests of the workspace with all features, including doctests. It passes
//! its arguments to `cargo test`.

use crate::outcome::Outcome;
use crate::sh;

pub(crate) fn run(arguments: &[String]) -> Outcome {
    sh::run(sh::cargo(["test", "--workspace", "--all-features"]).args(arguments))
}
