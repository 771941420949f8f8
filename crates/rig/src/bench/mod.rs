//! Shared by the benchmarks: arguments, users, servers and reports.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its results")]

mod bare;
mod load;
mod report;
mod seed;
mod server;

pub use bare::{Bare, serve_bare_if_asked};
pub use load::{Answer, Load, load};
pub use report::{Goal, Report, median};
pub use seed::{LIVE, Seeded, tidy};
pub use server::{Memory, cpu_time, mebibytes, pin, release_server, start_with_log};

use keyward_test_support::{Backend, TestDatabase};

/// The size of a benchmark.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Number of expired keys of the largest user.
    pub many: u32,
    /// Number of repetitions of noisy measurements.
    pub rounds: usize,
    /// Number of keys that are used and expired one after another.
    pub turns: u32,
}

impl Size {
    /// Reads the arguments: `--quick` makes everything small. `None`, after a message on stderr, if
    /// they are wrong.
    #[must_use]
    pub fn from_args() -> Option<Self> {
        let mut size = Self { many: 1_000_000, rounds: 63, turns: 200 };
        for argument in std::env::args().skip(1) {
            match argument.as_str() {
                "--quick" => size = Self { many: 10_000, rounds: 15, turns: 10 },
                // Cargo passes this to every benchmark.
                "--bench" => {}
                other => {
                    eprintln!(
                        "unknown argument \"{other}\"; use --quick for 10 000 keys instead of 1 000 000 \
                         and 10 expires per case instead of 200"
                    );
                    return None;
                }
            }
        }
        Some(size)
    }
}

/// Each available database, with its name.
pub fn databases() -> impl Iterator<Item = (&'static str, TestDatabase)> {
    [("SQLite", Backend::Sqlite), ("PostgreSQL", Backend::Postgres)]
        .into_iter()
        .filter_map(|(name, backend)| TestDatabase::create(backend).map(|database| (name, database)))
}

/// A number with spaced thousands, such as `1 000 000`.
#[must_use]
pub fn spaced(number: u32) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}
