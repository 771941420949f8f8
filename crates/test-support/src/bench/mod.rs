//! What the benches have in common: their arguments, their users, their servers, and how they report.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench prints what it measured")]

mod bare;
mod load;
mod report;
mod seed;
mod server;

pub use bare::{Bare, be_bare_if_asked};
pub use load::{Answer, Load, load};
pub use report::{Goal, Report, median};
pub use seed::{LIVE, Seeded};
pub use server::{Memory, cpu_time, mebibytes, pin, release_server};

use crate::{Backend, TestDatabase};

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// How many expired keys the largest user has.
    pub many: u32,
    /// How often what is noisy is done again.
    pub rounds: usize,
}

impl Size {
    /// Reads the arguments: `--quick` makes everything small. None, and a word on stderr, if they are wrong.
    #[must_use]
    pub fn from_args() -> Option<Self> {
        let mut size = Self { many: 1_000_000, rounds: 63 };
        for argument in std::env::args().skip(1) {
            match argument.as_str() {
                "--quick" => size = Self { many: 10_000, rounds: 15 },
                // Cargo says this to every benchmark.
                "--bench" => {}
                other => {
                    eprintln!(
                        "there is no argument \"{other}\"; there is --quick: 10 000 keys in the place of 1 000 000"
                    );
                    return None;
                }
            }
        }
        Some(size)
    }
}

/// Each database that there is here, with its name.
pub fn databases() -> impl Iterator<Item = (&'static str, TestDatabase)> {
    [("SQLite", Backend::Sqlite), ("PostgreSQL", Backend::Postgres)]
        .into_iter()
        .filter_map(|(name, backend)| TestDatabase::create(backend).map(|database| (name, database)))
}

/// A number with its thousands apart, as in `1 000 000`.
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
