//! `cargo xtask ci`: all of CI. Stops at the first step that fails.

use std::time::{Duration, Instant};

use crate::outcome::{Failure, Outcome, no_arguments};
use crate::sh;

/// A cargo command, so that anyone can run the step alone.
struct Step {
    name: &'static str,
    /// Everything after `cargo`, split at white space: no argument may contain any.
    command: &'static str,
    /// Environment variables to set.
    variables: &'static [(&'static str, &'static str)],
}

/// The steps, in order.
const STEPS: &[Step] = &[
    Step { name: "format", command: "fmt --all --check", variables: &[] },
    Step { name: "clippy", command: "clippy --workspace --all-targets --all-features -- -D warnings", variables: &[] },
    // Most users of the SDK build it without features.
    Step { name: "clippy without features", command: "clippy -p keyward-sdk -- -D warnings", variables: &[] },
    Step { name: "tests", command: "xtask test", variables: &[] },
    Step {
        name: "docs",
        command: "doc --workspace --no-deps --all-features",
        variables: &[("RUSTDOCFLAGS", "-D warnings")],
    },
    // Errors only: the warnings about crates in two versions are long.
    Step {
        name: "licenses and sources",
        command: "deny --log-level error check bans licenses sources",
        variables: &[],
    },
    Step { name: "unused dependencies", command: "machete --with-metadata", variables: &[] },
    Step { name: "boundaries", command: "xtask boundaries", variables: &[] },
    Step { name: "OpenAPI in step", command: "xtask openapi --check", variables: &[] },
    Step { name: "packages", command: "xtask package", variables: &[] },
    Step { name: "deploy files", command: "xtask deploy", variables: &[] },
    Step { name: "tours", command: "xtask readme", variables: &[] },
];

pub(crate) fn run(arguments: &[String]) -> Outcome {
    no_arguments("ci", arguments)?;
    let start = Instant::now();
    for step in STEPS {
        step.run()?;
    }
    eprintln!("\nci: all {} steps passed in {}", STEPS.len(), seconds(start.elapsed()));
    Ok(())
}

impl Step {
    fn run(&self) -> Outcome {
        eprintln!("\n== {}: {}", self.name, self.shell_command());
        let start = Instant::now();
        let outcome = sh::run(sh::cargo(self.command.split_whitespace()).envs(self.variables.iter().copied()));
        let took = seconds(start.elapsed());
        match outcome {
            Ok(()) => {
                eprintln!("== {}: passed in {took}", self.name);
                Ok(())
            }
            Err(failure) => Err(Failure::Failed(format!(
                "{failure}\n\nci: the step \"{}\" failed after {took}; run it alone with:\n  {}",
                self.name,
                self.shell_command()
            ))),
        }
    }

    /// The step as a shell command.
    fn shell_command(&self) -> String {
        let variables: String = self.variables.iter().map(|(name, value)| format!("{name}=\"{value}\" ")).collect();
        format!("{variables}cargo {}", self.command)
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_that_is_a_task_exists() {
        for step in STEPS {
            let mut words = step.command.split_whitespace();
            if words.next() == Some("xtask") {
                let name = words.next().unwrap();
                assert!(crate::TASKS.iter().any(|task| task.name == name), "{}", step.name);
            }
        }
    }

    #[test]
    fn a_step_is_shown_as_it_is_typed() {
        let docs = STEPS.iter().find(|step| step.name == "docs").unwrap();
        assert_eq!(docs.shell_command(), "RUSTDOCFLAGS=\"-D warnings\" cargo doc --workspace --no-deps --all-features");
    }
}
