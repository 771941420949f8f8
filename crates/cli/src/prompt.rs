//! Questions to a person, and secrets from stdin. Asks only where stdin is a terminal.

use std::io::{self, BufRead, IsTerminal};

use keyward_sdk::SecretString;

use crate::error::{Error, Failing};
use crate::output::Output;

/// Is there a person to ask?
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal()
}

/// Asks for a line that may be seen.
pub(crate) fn line(out: &Output, question: &str) -> Result<String, Error> {
    out.prompt(question);
    let answer = read_line()?.ok_or_else(|| no_answer(question))?;
    let answer = answer.trim();
    if answer.is_empty() { Err(no_answer(question)) } else { Ok(answer.to_owned()) }
}

/// Asks for a line that must not be seen.
pub(crate) fn secret(out: &Output, question: &str) -> Result<SecretString, Error> {
    out.prompt(question);
    let answer = read_hidden();
    // The line end that was typed was hidden too.
    out.end_of_prompt();
    let answer = answer.failing("cannot read from the terminal")?;
    if answer.is_empty() { Err(no_answer(question)) } else { Ok(answer.into()) }
}

/// A new password: the line on stdin if the flag says so, or else what a person types.
pub(crate) fn chosen_password(out: &Output, from_stdin: bool) -> Result<SecretString, Error> {
    if from_stdin {
        secret_from_stdin(out, "New password: ", "--password-stdin wants the password")
    } else if is_interactive() {
        new_password(out)
    } else {
        Err(no_terminal("a password is needed", &["--password-stdin"]))
    }
}

/// What to say where there is nobody to ask: which flags would do instead.
pub(crate) fn no_terminal(what: &str, flags: &[&str]) -> Error {
    Error::usage(format!("{what}, and there is no terminal to ask at")).hint(format!("give {}", flags.join(", ")))
}

/// Asks for a new password, twice.
pub(crate) fn new_password(out: &Output) -> Result<SecretString, Error> {
    let first = secret(out, "New password (at least 12 characters): ")?;
    let second = secret(out, "The same again: ")?;
    if first.expose() == second.expose() {
        Ok(first)
    } else {
        Err(Error::failed("the two passwords are not the same; nothing was changed"))
    }
}

/// Asks for the name of what is about to be removed for good.
pub(crate) fn confirm_removal(out: &Output, what: &str, name: &str) -> Result<(), Error> {
    let typed = line(out, &format!("{what} will be removed for good. Type its name to go on ({name}): "))?;
    if typed == name { Ok(()) } else { Err(Error::failed("that is another name; nothing was removed")) }
}

/// Reads a secret, one line, from stdin; from a terminal without showing it. `what` says of what
/// the line is missing, if it is, as in "--password-stdin wants the password".
pub(crate) fn secret_from_stdin(out: &Output, question: &str, what: &str) -> Result<SecretString, Error> {
    if is_interactive() {
        return secret(out, question);
    }
    match read_line()? {
        Some(text) if !text.is_empty() => Ok(text.into()),
        Some(_) | None => Err(Error::usage(format!("{what} as a line on stdin, and there is none"))),
    }
}

/// A line of stdin without its end; none at the end of stdin.
fn read_line() -> Result<Option<String>, Error> {
    let mut text = String::new();
    let count = io::stdin().lock().read_line(&mut text).failing("cannot read from stdin")?;
    while text.ends_with(['\n', '\r']) {
        text.pop();
    }
    Ok((count > 0).then_some(text))
}

fn no_answer(question: &str) -> Error {
    Error::failed(format!("no answer to \"{}\"; nothing was changed", question.trim_end().trim_end_matches(':')))
}

/// Reads from stdin itself, which is known to be a terminal. Where it may not be opened again (as
/// after `su`, whose terminal is another user's) the terminal of the process is asked instead.
#[cfg(unix)]
fn read_hidden() -> io::Result<String> {
    let builder = || rpassword::ConfigBuilder::new().output_discard();
    match rpassword::read_password_with_config(builder().input_file_path("/dev/stdin").build()) {
        Err(error) if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound) => {
            rpassword::read_password_with_config(builder().build())
        }
        read => read,
    }
}

#[cfg(not(unix))]
fn read_hidden() -> io::Result<String> {
    rpassword::read_password_with_config(rpassword::ConfigBuilder::new().output_discard().build())
}
