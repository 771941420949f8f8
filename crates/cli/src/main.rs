//! `keyward`: the command line of Keyward.

use std::process::ExitCode;

fn main() -> ExitCode {
    keyward_cli::run(std::env::args_os()).into()
}
