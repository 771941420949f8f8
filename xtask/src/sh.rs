//! Runs other programs in the repository's root.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::outcome::{Failure, Outcome};

/// Makes the repository's root the current directory. Every path in a task is relative to it.
pub(crate) fn enter_root() -> Outcome {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .ok_or_else(|| Failure::failed("xtask is not in a repository"))?;
    std::env::set_current_dir(root).map_err(Failure::io(format_args!("enter {}", root.display())))
}

/// Cargo, with the environment of `cargo xtask`.
pub(crate) fn cargo<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // `cargo run` sets these for this program. Some build scripts (ring's) run again when they change,
    // so a task would rebuild what `cargo build` has just built.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command.args(arguments);
    command
}

/// Runs a command to its end. It inherits stdout and stderr.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let status = command.status().map_err(Failure::io(format_args!("run `{}`", shown(command))))?;
    if status.success() { Ok(()) } else { Err(Failure::Failed(format!("`{}` failed: {status}", shown(command)))) }
}

/// Runs a command to its end and returns its stdout. It inherits stderr.
pub(crate) fn output(command: &mut Command) -> Result<String, Failure> {
    let output =
        command.stderr(Stdio::inherit()).output().map_err(Failure::io(format_args!("run `{}`", shown(command))))?;
    if !output.status.success() {
        return Err(Failure::Failed(format!("`{}` failed: {}", shown(command), output.status)));
    }
    String::from_utf8(output.stdout)
        .map_err(|error| Failure::Failed(format!("the output of `{}` is not UTF-8: {error}", shown(command))))
}

/// The command as a shell command, without quotes.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut text = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    for argument in command.get_args() {
        // Writing to a String cannot fail.
        let _ = write!(text, " {}", argument.to_string_lossy());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_command_is_named_with_its_status() {
        let failure = run(Command::new("/bin/sh").args(["-c", "exit 3"])).unwrap_err();
        assert_eq!(failure, Failure::failed("`sh -c exit 3` failed: exit status: 3"));
    }

    #[test]
    fn output_is_what_was_printed() {
        assert_eq!(output(Command::new("sh").args(["-c", "echo one; echo two"])).unwrap(), "one\ntwo\n");
        assert!(output(Command::new("sh").args(["-c", "echo one; exit 1"])).is_err());
    }
}
