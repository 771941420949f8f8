//! Where the server is: the URL that a client is built with.

use reqwest::Url;

use crate::error::InvalidInput;

/// Checks a server's URL and brings it into the form that paths are put behind: no slash at its end.
pub(crate) fn parse(text: &str) -> Result<String, InvalidInput> {
    let text = text.trim();
    let invalid = |reason: String| InvalidInput::Url { url: shown(text), reason };
    let rest = after_scheme(text).ok_or_else(|| invalid("it must begin with http:// or https://".to_owned()))?;
    // A URL parser would skip more slashes, and take the first folder of the path for the host.
    if rest.starts_with(['/', '\\']) {
        return Err(invalid("it names no host".to_owned()));
    }
    let url = Url::parse(text).map_err(|error| invalid(error.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("it must not hold a user name or a password".to_owned()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("it must end with the host or a path".to_owned()));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn after_scheme(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once("://")?;
    (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")).then_some(rest)
}

/// The URL for an error message: without the part where a password may stand.
fn shown(text: &str) -> String {
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
