//! `cargo xtask test`: all tests of the workspace with every feature, doctests too; arguments are
//! passed on.

use crate::outcome::Outcome;
use crate::sh;

pub(crate) fn run(arguments: &[String]) -> Outcome {
    sh::run(sh::cargo(["test", "--workspace", "--all-features"]).args(arguments))
}
