//! Reads the key of a request from `Authorization: Bearer <key>` (RFC 6750, §2.1). A key in the query
//! is ignored, because logs on the way would store it.

use crate::secret::SecretString;

/// Why a request has no usable key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum CredentialError {
    /// There is no `Authorization` header, or it has another scheme.
    Missing,
    /// The header is malformed.
    Malformed(&'static str),
}

/// The key in the values of the `Authorization` header.
pub(in super::super) fn bearer<'a>(
    mut values: impl Iterator<Item = &'a [u8]>,
) -> Result<SecretString, CredentialError> {
    let value = values.next().ok_or(CredentialError::Missing)?;
    if values.next().is_some() {
        return Err(CredentialError::Malformed("The Authorization header was sent more than once."));
    }
    let value = value.trim_ascii();
    let end = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
    let (scheme, token) = value.split_at(end);
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Err(CredentialError::Missing);
    }
    let token = token.trim_ascii();
    // RFC 6750's b64token. It excludes the comma that a proxy inserts when it joins two headers.
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
    match std::str::from_utf8(token) {
        Ok(text) if !text.is_empty() && token.iter().all(allowed) => Ok(SecretString::from(text)),
        Ok(_) | Err(_) => Err(CredentialError::Malformed("The Authorization header contains no key after Bearer.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Result<String, CredentialError> {
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
            assert_eq!(read(values), Err(CredentialError::Missing), "{values:?}");
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
            assert!(matches!(read(values), Err(CredentialError::Malformed(_))), "{values:?}");
        }
    }
}
