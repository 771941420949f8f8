//! A table of figures with their goals and whether each goal was met.

use std::time::Duration;

/// The goal of a figure.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// Maximum ratio of the largest to the smallest time.
    Ratio(f64),
    /// Minimum ratio of two figures.
    AtLeast(f64),
    /// Upper limit in MiB, exclusive.
    Mebibytes(f64),
    /// Maximum in seconds.
    Seconds(f64),
}

/// The rows so far.
#[derive(Debug, Default)]
pub struct Report {
    rows: Vec<[String; 5]>,
    missed: usize,
}

impl Report {
    /// Reports times whose ratio should be small.
    pub fn times(&mut self, database: &str, what: &str, times: &[Duration], limit: f64) {
        let figures: Vec<_> = times.iter().map(|time| format!("{:.3}", time.as_secs_f64() * 1_000.0)).collect();
        let (least, most) = (times.iter().min(), times.iter().max());
        let ratio = least.zip(most).map_or(f64::NAN, |(least, most)| most.as_secs_f64() / least.as_secs_f64());
        self.figure(database, what, &format!("{} ms", figures.join(" / ")), ratio, Goal::Ratio(limit));
    }

    /// Reports one figure with its goal and the measurements behind it.
    pub fn figure(&mut self, database: &str, what: &str, figures: &str, value: f64, goal: Goal) {
        let (shown, wanted, met) = match goal {
            Goal::Ratio(limit) => (format!("{value:.2} times"), format!("at most {limit} times"), value <= limit),
            Goal::AtLeast(limit) => (format!("{value:.2} times"), format!("at least {limit} times"), value >= limit),
            Goal::Mebibytes(limit) => (format!("{value:.1} MiB"), format!("under {limit} MiB"), value < limit),
            Goal::Seconds(limit) => (format!("{value:.3} s"), format!("at most {limit} s"), value <= limit),
        };
        let verdict = if met { "met" } else { "MISSED" };
        self.missed += usize::from(!met);
        println!("{database}: {what}: {figures} -> {shown} ({wanted}: {verdict})");
        self.rows.push([format!("{database}: {what}"), figures.to_owned(), shown, wanted, verdict.to_owned()]);
    }

    /// Prints the table.
    pub fn print(&self) {
        let width = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<_> = (0..5).map(width).collect();
        println!();
        for row in &self.rows {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
        }
        match self.missed {
            0 => println!("\nEvery goal was met."),
            missed => println!("\n{missed} of {} goals were MISSED.", self.rows.len()),
        }
    }
}

/// The median.
#[must_use]
pub fn median<T: Copy + Ord>(values: &[T]) -> T {
    let mut values = values.to_vec();
    values.sort_unstable();
    values[values.len() / 2]
}
