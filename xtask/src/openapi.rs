//! `cargo xtask openapi`: writes or checks `docs/openapi.json`, generated from the endpoints in
//! `keyward-api`.

use std::fs;
use std::io::ErrorKind;

use crate::outcome::{Failure, Outcome};
use crate::sh;

const FILE: &str = "docs/openapi.json";

pub(crate) fn run(arguments: &[String]) -> Outcome {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [] => write(),
        ["--check"] => check(),
        [other, ..] => Err(Failure::Usage(format!("`openapi` takes only --check, not \"{other}\""))),
    }
}

fn write() -> Outcome {
    let text = generated()?;
    fs::write(FILE, &text).map_err(Failure::io(format_args!("write {FILE}")))?;
    println!("wrote {FILE}");
    Ok(())
}

fn check() -> Outcome {
    let kept = match fs::read_to_string(FILE) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Failure::io(format_args!("read {FILE}"))(error)),
    };
    match first_difference(&kept, &generated()?) {
        None => Ok(()),
        Some(line) => Err(Failure::Failed(format!(
            "{FILE} is out of date from line {line} on; run `cargo xtask openapi` and commit the file"
        ))),
    }
}

fn generated() -> Result<String, Failure> {
    sh::output(&mut sh::cargo(["run", "-q", "-p", "keyward-api", "--features", "openapi", "--example", "openapi"]))
}

/// The number of the first line that differs, counted from 1.
fn first_difference(one: &str, other: &str) -> Option<usize> {
    if one == other {
        return None;
    }
    let alike = one.split_inclusive('\n').zip(other.split_inclusive('\n')).take_while(|(a, b)| a == b).count();
    Some(alike + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_found_even_at_the_end() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), Some(2));
        assert_eq!(first_difference("", "a\n"), Some(1));
        assert_eq!(first_difference("a\n", "a\nb\n"), Some(2));
        assert_eq!(first_difference("a\nb", "a\nb\n"), Some(2));
    }
}
