//! As much of the standard test harness as `cargo test` and people use: filters, `--skip` and `--list`.

use std::env;

type Test = (&'static str, fn());

/// What the arguments of this program ask for.
#[derive(Debug, Default)]
struct Asked {
    lists: bool,
    only_ignored: bool,
    filters: Vec<String>,
    skipped: Vec<String>,
}

/// Runs the tests that the arguments select, one after another. A test that fails ends the program.
pub(crate) fn run(tests: &[Test]) {
    let asked = Asked::from(env::args().skip(1));
    for (name, test) in tests.iter().filter(|(name, _)| asked.selects(name)) {
        if asked.lists {
            println!("{name}: test");
            continue;
        }
        println!("test {name} ...");
        test();
        println!("test {name} ... ok");
    }
}

impl Asked {
    fn from(mut arguments: impl Iterator<Item = String>) -> Self {
        let mut asked = Self::default();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--list" => asked.lists = true,
                "--ignored" => asked.only_ignored = true,
                "--skip" => asked.skipped.extend(arguments.next()),
                // Flags of the standard harness with a value.
                "--test-threads" | "--format" | "--color" | "--logfile" | "--shuffle-seed" | "-Z" => {
                    arguments.next();
                }
                flag if flag.starts_with('-') => {}
                _ => asked.filters.push(argument),
            }
        }
        asked
    }

    fn selects(&self, name: &str) -> bool {
        let has = |texts: &[String]| texts.iter().any(|text| name.contains(text));
        !self.only_ignored && !has(&self.skipped) && (self.filters.is_empty() || has(&self.filters))
    }
}
