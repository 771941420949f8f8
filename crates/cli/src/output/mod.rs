//! The only place that prints: data and what was done on stdout, everything else on stderr.

mod table;
mod text;
mod time;

pub(crate) use table::{Cell, Table};

use std::io::{self, IsTerminal, Write};

use keyward_sdk::{SecretString, Timestamp};
use serde::Serialize;
use time::now;

use crate::error::{Error, Failing};
use crate::exit::Exit;

/// Where things are printed, and how.
pub(crate) struct Output {
    stdout_is_terminal: bool,
    stderr_is_terminal: bool,
    color: bool,
    now: Timestamp,
}

/// The escape sequences that errors and warnings open with.
const RED: &str = "\u{1b}[1;31m";
const YELLOW: &str = "\u{1b}[1;33m";
const PLAIN: &str = "\u{1b}[0m";

impl Output {
    /// Looks at the terminal and the environment.
    pub(crate) fn new(no_color: bool) -> Self {
        Self {
            stdout_is_terminal: io::stdout().is_terminal(),
            stderr_is_terminal: io::stderr().is_terminal(),
            color: !no_color && color_is_wanted(),
            now: now(),
        }
    }

    /// Prints what the parser of the command line has to say: help, the version, or an error.
    pub(crate) fn usage(error: &clap::Error) -> Exit {
        // A flag that could not be parsed cannot be asked: look for it by hand.
        let no_color = std::env::args_os().any(|argument| argument == "--no-color");
        let out = Self::new(no_color);
        let styled = error.render();
        if error.use_stderr() {
            let text = if out.color && out.stderr_is_terminal { styled.ansi().to_string() } else { styled.to_string() };
            to_stderr(&text::masked(&text));
            return Exit::Usage;
        }
        let text = if out.color && out.stdout_is_terminal { styled.ansi().to_string() } else { styled.to_string() };
        match to_stdout(text.as_bytes()) {
            Ok(()) => Exit::Done,
            Err(error) => {
                out.error(&error, false);
                error.exit()
            }
        }
    }

    /// A line on stdout.
    pub(crate) fn line(&self, line: &str) -> Result<(), Error> {
        to_stdout(format!("{}\n", text::visible(line)).as_bytes())
    }

    /// A secret on stdout, alone on its line.
    pub(crate) fn secret(&self, secret: &SecretString) -> Result<(), Error> {
        self.line(secret.expose())
    }

    /// What a generator made, as it is.
    pub(crate) fn generated(&self, bytes: &[u8]) -> Result<(), Error> {
        to_stdout(bytes)
    }

    /// JSON on stdout.
    pub(crate) fn json<T: Serialize>(&self, value: &T) -> Result<(), Error> {
        let json = serde_json::to_string_pretty(value)
            .map_err(|error| Error::failed("cannot write the answer as JSON").caused_by(error))?;
        to_stdout(format!("{}\n", text::visible_json(&json)).as_bytes())
    }

    /// A table on stdout; nothing if it has no rows.
    pub(crate) fn table(&self, table: &Table) -> Result<(), Error> {
        if table.is_empty() {
            return Ok(());
        }
        to_stdout(table.render(self.stdout_is_terminal, self.colors_stdout(), self.now).as_bytes())
    }

    /// A table on stdout, comma-separated with its header; nothing if it has no rows.
    pub(crate) fn csv(&self, table: &Table) -> Result<(), Error> {
        if table.is_empty() {
            return Ok(());
        }
        let csv = table.to_csv().map_err(|error| Error::failed("cannot write CSV").caused_by(error))?;
        to_stdout(&csv)
    }

    /// Labelled values on stdout, one a line.
    pub(crate) fn details(&self, fields: Vec<(&str, Cell)>) -> Result<(), Error> {
        to_stdout(table::render_details(fields, self.stdout_is_terminal, self.colors_stdout(), self.now).as_bytes())
    }

    /// A line on stderr.
    pub(crate) fn note(&self, line: &str) {
        to_stderr(&format!("{}\n", text::masked(&text::visible(line))));
    }

    /// A line on stderr, for a person who is looking: nothing if stderr is no terminal.
    pub(crate) fn aside(&self, line: &str) {
        if self.stderr_is_terminal {
            self.note(line);
        }
    }

    /// Something on stderr that the user should know.
    pub(crate) fn warn(&self, line: &str) {
        self.labelled(YELLOW, "warning", line);
    }

    /// A question on stderr; the answer goes on the same line.
    pub(crate) fn prompt(&self, question: &str) {
        to_stderr(&text::visible(question));
    }

    /// Ends the line of a question whose answer was not shown.
    pub(crate) fn end_of_prompt(&self) {
        to_stderr("\n");
    }

    /// An error on stderr: what failed, why, the next step, the request id.
    pub(crate) fn error(&self, error: &Error, verbose: bool) {
        if error.is_silent() {
            return;
        }
        self.labelled(RED, "error", &error.to_string());
        for (label, text) in error.details(verbose) {
            self.note(&format!("  {label}: {text}"));
        }
    }

    fn labelled(&self, color: &str, label: &str, line: &str) {
        let line = text::visible(line);
        let line = text::masked(&line);
        if self.color && self.stderr_is_terminal {
            to_stderr(&format!("{color}{label}:{PLAIN} {line}\n"));
        } else {
            to_stderr(&format!("{label}: {line}\n"));
        }
    }

    fn colors_stdout(&self) -> bool {
        self.color && self.stdout_is_terminal
    }
}

/// `NO_COLOR` (no-color.org) and terminals that know no colour.
fn color_is_wanted() -> bool {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    !no_color && !dumb
}

/// Writes all of it now. A reader that has gone away (`| head`) has had enough: the run ends
/// without a word.
fn to_stdout(bytes: &[u8]) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Error::silent(Exit::Done)),
        written => written.failing("cannot write to stdout"),
    }
}

fn to_stderr(text: &str) {
    let mut stderr = io::stderr().lock();
    // If stderr takes no more, there is nobody left to tell.
    drop(stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush()));
}
