//! The tasks of this repository: `cargo xtask` lists them, `cargo xtask ci` runs all of CI.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "tasks print to the terminal")]

mod bench;
mod boundaries;
mod ci;
mod deploy;
mod openapi;
mod outcome;
mod package;
mod programs;
mod readme;
mod sh;
mod test;
#[cfg(test)]
mod three_steps;

use std::process::ExitCode;

use outcome::{Failure, Outcome};

/// A task of `cargo xtask`.
struct Task {
    name: &'static str,
    /// The arguments, as the usage line shows them.
    arguments: &'static str,
    about: &'static str,
    run: fn(&[String]) -> Outcome,
}

const TASKS: &[Task] = &[
    Task { name: "ci", arguments: "", about: "run all checks of CI, up to the first failure", run: ci::run },
    Task {
        name: "test",
        arguments: "[args…]",
        about: "run all tests and doctests: `cargo test --workspace [args…]`",
        run: test::run,
    },
    Task {
        name: "boundaries",
        arguments: "",
        about: "check that no crate depends on a forbidden crate",
        run: boundaries::run,
    },
    Task {
        name: "openapi",
        arguments: "[--check]",
        about: "write docs/openapi.json from the code, or check that it is up to date",
        run: openapi::run,
    },
    Task {
        name: "package",
        arguments: "",
        about: "package the SDK and the crates beneath it, and build each from its package",
        run: package::run,
    },
    Task {
        name: "deploy",
        arguments: "",
        about: "check the alerts, the dashboard and the unit in deploy/",
        run: deploy::run,
    },
    Task {
        name: "readme",
        arguments: "",
        about: "run the README's five-minute tour, and those of the runbooks",
        run: readme::run,
    },
    Task {
        name: "bench",
        arguments: "[name [args…]]",
        about: "run a benchmark, or list the benchmarks",
        run: bench::run,
    },
];

fn main() -> ExitCode {
    match dispatch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            failure.exit_code()
        }
    }
}

fn dispatch() -> Outcome {
    let arguments = std::env::args_os()
        .skip(1)
        .map(|text| text.into_string().map_err(|text| Failure::Usage(format!("argument {text:?} is not UTF-8"))))
        .collect::<Result<Vec<String>, Failure>>()?;
    sh::enter_root()?;
    match arguments.split_first() {
        None => list(),
        Some((first, _)) if matches!(first.as_str(), "help" | "-h" | "--help") => list(),
        Some((first, rest)) => match TASKS.iter().find(|task| task.name == first) {
            Some(task) => (task.run)(rest),
            None => Err(Failure::Usage(format!("unknown task \"{first}\"\n\n{}", usage()))),
        },
    }
}

fn list() -> Outcome {
    println!("{}", usage());
    Ok(())
}

fn usage() -> String {
    let lines = TASKS.iter().map(|task| {
        let call = format!("{} {}", task.name, task.arguments);
        format!("\n  {call:<22} {}", task.about)
    });
    format!("Usage: cargo xtask <task>\n\nTasks:{}", lines.collect::<String>())
}
