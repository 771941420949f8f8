//! The program `keyward-server`.

use std::process::ExitCode;

fn main() -> ExitCode {
    keyward_server::main(std::env::args_os())
}
