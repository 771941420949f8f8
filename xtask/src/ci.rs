//! `cargo xtask ci`: the whole of CI, one step after the other, up to the first that fails.

use std::time::{Duration, Instant};

use crate::outcome::{Failure, Outcome, no_arguments};
use crate::sh;

/// A step is a cargo command, so that what CI runs and what one types to run it alone are one text.
struct Step {
    name: &'static str,
    /// Everything after `cargo`, split at spaces: no argument may hold one.
    command: &'static str,
    /// Variables that are set for it.
    variables: &'static [(&'static str, &'static str)],
}

/// In the order in which they run.
const STEPS: &[Step] = &[
    Step { name: "format", command: "fmt --all --check", variables: &[] },
    Step { name: "clippy", command: "clippy --workspace --all-targets --all-features -- -D warnings", variables: &[] },
    // As most who embed the SDK build it.
    Step { name: "clippy without features", command: "clippy -p keyward-sdk -- -D warnings", variables: &[] },
    Step { name: "tests", command: "xtask test", variables: &[] },
    Step {
        name: "docs",
        command: "doc --workspace --no-deps --all-features",
        variables: &[("RUSTDOCFLAGS", "-D warnings")],
    },
    // Only errors are shown: the warnings tell of crates that come in two versions, at length.
    Step {
        name: "licenses and sources",
        command: "deny --log-level error check bans licenses sources",
        variables: &[],
    },
    Step { name: "unused dependencies", command: "xtask unused", variables: &[] },
    Step { name: "boundaries", command: "xtask boundaries", variables: &[] },
    Step { name: "OpenAPI in step", command: "xtask openapi --check", variables: &[] },
    Step { name: "README tour", command: "xtask readme", variables: &[] },
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
        eprintln!("\n== {}: {}", self.name, self.typed());
        let start = Instant::now();
        let outcome = sh::run(sh::cargo(self.command.split_whitespace()).envs(self.variables.iter().copied()));
        let took = seconds(start.elapsed());
        match outcome {
            Ok(()) => {
                eprintln!("== {}: passed in {took}", self.name);
                Ok(())
            }
            Err(failure) => Err(Failure::Failed(format!(
                "{failure}\n\nci: the step \"{}\" failed after {took}; to run it alone:\n  {}",
                self.name,
                self.typed()
            ))),
        }
    }

    /// As one types it in a shell.
    fn typed(&self) -> String {
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
        assert_eq!(docs.typed(), "RUSTDOCFLAGS=\"-D warnings\" cargo doc --workspace --no-deps --all-features");
    }
}
