//! The tasks of this repository: `cargo xtask` lists them, `cargo xtask ci` is the whole of CI.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what a task has to say goes to the terminal")]

mod bench;
mod boundaries;
mod ci;
mod openapi;
mod outcome;
mod readme;
mod sh;
mod test;
mod unused;

use std::process::ExitCode;

use outcome::{Failure, Outcome};

/// Something that `cargo xtask` does.
struct Task {
    name: &'static str,
    /// What may follow the name, as in the usage line.
    arguments: &'static str,
    about: &'static str,
    run: fn(&[String]) -> Outcome,
}

const TASKS: &[Task] = &[
    Task { name: "ci", arguments: "", about: "everything CI checks, in order, up to the first failure", run: ci::run },
    Task {
        name: "test",
        arguments: "[args…]",
        about: "all tests, doctests too: `cargo test --workspace [args…]`",
        run: test::run,
    },
    Task { name: "unused", arguments: "", about: "no crate names a dependency that it does not use", run: unused::run },
    Task {
        name: "boundaries",
        arguments: "",
        about: "no crate sees a crate that it must not know",
        run: boundaries::run,
    },
    Task {
        name: "openapi",
        arguments: "[--check]",
        about: "writes docs/openapi.json from the code, or checks that it is in step",
        run: openapi::run,
    },
    Task {
        name: "readme",
        arguments: "",
        about: "runs the README's five-minute tour as it is written",
        run: readme::run,
    },
    Task {
        name: "bench",
        arguments: "[name [args…]]",
        about: "runs a benchmark; without a name, lists them",
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
            None => Err(Failure::Usage(format!("there is no task \"{first}\"\n\n{}", usage()))),
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
