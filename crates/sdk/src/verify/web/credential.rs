//! The key that a request presents: `Authorization: Bearer <key>` (RFC 6750, §2.1), and nowhere
//! else. A key in the query is never read: every log on the way would keep it.

use crate::secret::SecretString;

/// Why there is no key to judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Wrong {
    /// None was sent, or in a scheme that is not taken.
    Missing,
    /// Not of the form that the standard wants.
    Malformed(&'static str),
}

/// The key in the values of `Authorization`.
pub(in super::super) fn bearer<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> Result<SecretString, Wrong> {
    let value = values.next().ok_or(Wrong::Missing)?;
    if values.next().is_some() {
        return Err(Wrong::Malformed("The header Authorization is sent more than once."));
    }
    let value = value.trim_ascii();
    let end = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
    let (scheme, token) = value.split_at(end);
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Err(Wrong::Missing);
    }
    let token = token.trim_ascii();
    // What the standard calls b64token; a proxy that joins two headers into one puts a comma in.
    let taken = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
    match std::str::from_utf8(token) {
        Ok(text) if !text.is_empty() && token.iter().all(taken) => Ok(SecretString::from(text)),
        Ok(_) | Err(_) => Err(Wrong::Malformed("The header Authorization holds no key after Bearer.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Result<String, Wrong> {
        bearer(values.iter().map(|value| value.as_bytes())).map(|token| token.expose().to_owned())
    }

    #[test]
    fn bearer_is_read_in_any_case() {
        for value in ["Bearer kwd_x-y", "bearer kwd_x-y", "BEARER   kwd_x-y "] {
            assert_eq!(read(&[value]).unwrap(), "kwd_x-y");
        }
    }

    #[test]
    fn another_scheme_is_as_good_as_none() {
        for values in [&[][..], &[""], &["Basic dXNlcjpwYXNz"], &["kwd_x-y"], &["Bearerkwd_x-y"]] {
            assert_eq!(read(values), Err(Wrong::Missing), "{values:?}");
        }
    }

    #[test]
    fn what_is_not_of_the_form_is_malformed() {
        for values in [
            &["Bearer a", "Bearer a"][..],
            &["Bearer"],
            &["Bearer "],
            &["Bearer a b"],
            &["Bearer a, Bearer b"],
            &["Bearer ä"],
        ] {
            assert!(matches!(read(values), Err(Wrong::Malformed(_))), "{values:?}");
        }
    }
}
