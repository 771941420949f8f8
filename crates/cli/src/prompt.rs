//! Prompts on a terminal, and secrets from stdin.

use std::io::{self, BufRead, IsTerminal};

use keyward_sdk::SecretString;

use crate::error::{Context, Error};
use crate::output::Output;

/// Whether stdin is a terminal, so that prompts are possible.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal()
}

/// Prompts for a line and shows the input.
pub(crate) fn line(out: &Output, question: &str) -> Result<String, Error> {
    out.prompt(question);
    let answer = read_line()?.ok_or_else(|| no_answer(question))?;
    let answer = answer.trim();
    if answer.is_empty() { Err(no_answer(question)) } else { Ok(answer.to_owned()) }
}

/// Prompts for a line and hides the input.
pub(crate) fn secret(out: &Output, question: &str) -> Result<SecretString, Error> {
    out.prompt(question);
    let answer = read_hidden();
    // The typed newline was hidden too.
    out.end_of_prompt();
    let answer = answer.context("cannot read from the terminal")?;
    if answer.is_empty() { Err(no_answer(question)) } else { Ok(answer.into()) }
}

/// Reads a new password: a line of stdin with `from_stdin`, otherwise from a prompt.
pub(crate) fn read_new_password(out: &Output, from_stdin: bool) -> Result<SecretString, Error> {
    if from_stdin {
        secret_from_stdin(out, "New password: ", "--password-stdin needs the password")
    } else if is_interactive() {
        prompt_new_password(out)
    } else {
        Err(no_terminal("a password is needed", &["--password-stdin"]))
    }
}

/// The error when there is no terminal to prompt on. Names the flags to use instead.
pub(crate) fn no_terminal(what: &str, flags: &[&str]) -> Error {
    Error::usage(format!("{what}, and there is no terminal to prompt on")).hint(format!("pass {}", flags.join(", ")))
}

/// Prompts for a new password twice.
pub(crate) fn prompt_new_password(out: &Output) -> Result<SecretString, Error> {
    let first = secret(out, "New password (at least 12 characters): ")?;
    let second = secret(out, "Repeat the new password: ")?;
    if first.expose() == second.expose() {
        Ok(first)
    } else {
        Err(Error::failed("the two passwords do not match; nothing was changed"))
    }
}

/// Asks the user to type the name of the resource that is about to be deleted.
pub(crate) fn confirm_deletion(out: &Output, what: &str, name: &str) -> Result<(), Error> {
    let question = format!("{what} will be permanently deleted. Type its name to confirm ({name}): ");
    let typed = line(out, &question)?;
    if typed == name {
        Ok(())
    } else {
        Err(Error::failed(format!("the name does not match \"{name}\"; nothing was deleted")))
    }
}

/// Asks the user to type the number of keys that are about to be expired.
pub(crate) fn confirm_count(out: &Output, count: usize) -> Result<(), Error> {
    let keys = if count == 1 { "key" } else { "keys" };
    let typed = line(out, &format!("{count} {keys} will be expired. Type the number to confirm ({count}): "))?;
    if typed == count.to_string() {
        Ok(())
    } else {
        Err(Error::failed(format!("\"{typed}\" is not the number of keys, {count}; nothing was expired")))
    }
}

/// Reads a secret as one line from stdin, hidden if stdin is a terminal. `what` starts the error for
/// a missing line, such as "--password-stdin needs the password".
pub(crate) fn secret_from_stdin(out: &Output, question: &str, what: &str) -> Result<SecretString, Error> {
    if is_interactive() {
        return secret(out, question);
    }
    match read_line()? {
        Some(text) if !text.is_empty() => Ok(text.into()),
        Some(_) | None => Err(Error::usage(format!("{what} as one line on stdin, but got no text"))),
    }
}

/// A line of stdin without its newline; `None` at the end of stdin.
fn read_line() -> Result<Option<String>, Error> {
    let mut text = String::new();
    let count = io::stdin().lock().read_line(&mut text).context("cannot read from stdin")?;
    while text.ends_with(['\n', '\r']) {
        text.pop();
    }
    Ok((count > 0).then_some(text))
}

fn no_answer(question: &str) -> Error {
    Error::failed(format!("no answer to \"{}\"; nothing was changed", question.trim_end().trim_end_matches(':')))
}

/// Reads from stdin itself, which is a terminal here. Reopening it can fail, for example after `su`,
/// when the terminal belongs to another user; then the controlling terminal is read instead.
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
