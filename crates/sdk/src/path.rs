//! Puts values into URL paths.

use keyward_api::fill_path;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::error::InvalidInput;

/// Everything but the unreserved characters of RFC 3986, §2.3.
const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Fills the placeholders of an endpoint's path with percent-encoded values.
pub(crate) fn fill(path: &str, values: &[&str]) -> Result<String, InvalidInput> {
    let encoded = values.iter().map(|value| encode(value)).collect::<Result<Vec<_>, _>>()?;
    Ok(fill_path(path, &encoded.iter().map(String::as_str).collect::<Vec<_>>()))
}

/// Refuses values that would change the path: the empty one and the two dot segments, which
/// percent-encoding does not protect (RFC 3986, §6.2.2.3).
pub(crate) fn check(value: &str) -> Result<(), InvalidInput> {
    match value {
        "" | "." | ".." => Err(InvalidInput::PathValue(value.to_owned())),
        _ => Ok(()),
    }
}

/// Percent-encodes a text for a path or a query.
pub(crate) fn escape(text: &str) -> String {
    utf8_percent_encode(text, &RESERVED).to_string()
}

fn encode(value: &str) -> Result<String, InvalidInput> {
    check(value)?;
    Ok(escape(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unreserved_characters_stand_as_they_are() {
        let filled = fill("/users/{user}/keys/tokens/{keyname}", &["a-b.c_d~e", "ä/../?#%2e &+\\"]);
        assert_eq!(filled.unwrap(), "/users/a-b.c_d~e/keys/tokens/%C3%A4%2F..%2F%3F%23%252e%20%26%2B%5C");
    }

    #[test]
    fn dot_segments_and_nothing_are_refused() {
        for value in ["", ".", ".."] {
            assert_eq!(fill("/users/{user}", &[value]), Err(InvalidInput::PathValue(value.to_owned())));
        }
        assert_eq!(fill("/users/{user}", &["..."]).unwrap(), "/users/...");
    }
}
