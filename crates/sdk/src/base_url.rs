//! Parses the server URL that a client is built with.

use reqwest::Url;

use crate::error::InvalidInput;

/// Checks a server URL and removes trailing slashes, so that a path can be appended.
pub(crate) fn parse(text: &str) -> Result<String, InvalidInput> {
    let text = text.trim();
    let invalid = |reason: String| InvalidInput::Url { url: without_credentials(text), reason };
    let rest = after_scheme(text).ok_or_else(|| invalid("it must begin with http:// or https://".to_owned()))?;
    // A URL parser skips extra slashes and would take the first path segment for the host.
    if rest.starts_with(['/', '\\']) {
        return Err(invalid("it has no host".to_owned()));
    }
    let url = Url::parse(text).map_err(|error| invalid(error.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("it must not contain a username or password".to_owned()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("it must not contain a query or a fragment".to_owned()));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn after_scheme(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once("://")?;
    (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")).then_some(rest)
}

/// The URL for an error message, without the part that may contain a password.
fn without_credentials(text: &str) -> String {
    text.rsplit_once('@').map_or_else(|| text.to_owned(), |(_, rest)| format!("…@{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_url_loses_only_the_slash_at_its_end() {
        for (text, base) in [
            ("http://127.0.0.1:7080", "http://127.0.0.1:7080"),
            ("http://127.0.0.1:7080/", "http://127.0.0.1:7080"),
            (" HTTPS://Keys.example.com:443// ", "https://keys.example.com"),
            ("https://example.com/keyward/", "https://example.com/keyward"),
            ("http://[::1]:7080", "http://[::1]:7080"),
        ] {
            assert_eq!(parse(text).unwrap(), base);
        }
    }

    #[test]
    fn what_is_no_server_url_is_refused_and_quoted() {
        for text in [
            "",
            "localhost:7080",
            "127.0.0.1",
            "ftp://example.com",
            "http://",
            "http:///api",
            "http://:7080",
            "http://a b",
            "http://h:99999",
            "http://h?x=1",
            "http://h#x",
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(&format!("\"{text}\"")), "{error}");
        }
    }

    #[test]
    fn a_password_in_the_url_is_refused_and_not_repeated() {
        for text in ["http://ada:hunter2@example.com", "ftp://ada:hunter2@example.com", "ada:hunter2@example.com"] {
            let error = parse(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }
}
