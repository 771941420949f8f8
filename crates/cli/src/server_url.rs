//! The URL of a server in a canonical form, so that two URLs can be compared.
//!
//! This comparison decides whether a session is sent to a server. The parser therefore rejects
//! every URL that two programs could read differently, such as one with a username before an `@`,
//! or with a backslash, a percent sign or a space in the host.

use std::fmt;
use std::str::FromStr;

/// `http://` or `https://`, a host, a port unless it is the default, and optionally a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerUrl(String);

/// The reason that a text is not a valid [`ServerUrl`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidServerUrl {
    /// The scheme is missing or unknown.
    #[error("the URL must start with http:// or https://, as in https://keyward.example.com")]
    Scheme,
    /// It contains a username or password.
    #[error("the URL must not contain a username or password; log in with `keyward login`")]
    Credentials,
    /// It contains a query or a fragment.
    #[error("the URL must not contain a query (?) or fragment (#)")]
    Query,
    /// The host is missing or ambiguous.
    #[error("the host must be an ASCII name or an IP address, as in keyward.example.com or [::1]")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error("the port must be a number from 1 to 65535")]
    Port,
    /// The path is ambiguous.
    #[error("the path must be printable ASCII with no spaces, backslashes, or empty, `.` or `..` segments")]
    Path,
}

impl ServerUrl {
    /// The URL as text, without a slash at the end.
    #[must_use]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ServerUrl {
    type Err = InvalidServerUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text.trim().split_once("://").ok_or(InvalidServerUrl::Scheme)?;
        let scheme = scheme.to_ascii_lowercase();
        let default_port = match scheme.as_str() {
            "http" => 80,
            "https" => 443,
            _ => return Err(InvalidServerUrl::Scheme),
        };
        if rest.contains(['?', '#']) {
            return Err(InvalidServerUrl::Query);
        }
        let (authority, path) = rest.split_once('/').map_or((rest, ""), |(authority, path)| (authority, path));
        if authority.contains('@') {
            return Err(InvalidServerUrl::Credentials);
        }
        let (host, port) = split_port(authority)?;
        check_host(host)?;
        let path = path.trim_end_matches('/');
        check_path(path)?;

        let mut url = format!("{scheme}://{}", host.to_ascii_lowercase());
        if let Some(port) = port.filter(|&port| port != default_port) {
            url.push_str(&format!(":{port}"));
        }
        if !path.is_empty() {
            url.push('/');
            url.push_str(path);
        }
        Ok(Self(url))
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Splits `host:port`. The colons inside `[…]` belong to the host.
fn split_port(authority: &str) -> Result<(&str, Option<u16>), InvalidServerUrl> {
    let from = authority.rfind(']').unwrap_or(0);
    let Some(colon) = authority.get(from..).and_then(|tail| tail.find(':')).map(|at| from + at) else {
        return Ok((authority, None));
    };
    let (host, port) = authority.split_at(colon);
    let digits = port.trim_start_matches(':');
    if port.len() != digits.len() + 1 || digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(InvalidServerUrl::Port);
    }
    match digits.parse() {
        Ok(0) | Err(_) => Err(InvalidServerUrl::Port),
        Ok(port) => Ok((host, Some(port))),
    }
}

fn check_host(host: &str) -> Result<(), InvalidServerUrl> {
    let plain = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
    };
    let address = |text: &str| text.parse::<std::net::Ipv6Addr>().is_ok();
    let good = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(address),
        None => plain(host),
    };
    if good { Ok(()) } else { Err(InvalidServerUrl::Host) }
}

fn check_path(path: &str) -> Result<(), InvalidServerUrl> {
    // HTTP clients resolve these segments before they send the request.
    let is_dot_segment = |part: &str| matches!(part, "." | "..") || part.to_ascii_lowercase().contains("%2e");
    let good = path.chars().all(|c| c.is_ascii_graphic() && c != '\\')
        && (path.is_empty() || !path.split('/').any(|part| part.is_empty() || is_dot_segment(part)));
    if good { Ok(()) } else { Err(InvalidServerUrl::Path) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_servers_have_one_canonical_form() {
        for (text, form) in [
            ("http://127.0.0.1:7080", "http://127.0.0.1:7080"),
            ("http://127.0.0.1:7080/", "http://127.0.0.1:7080"),
            ("HTTPS://Keyward.Example.com:443//", "https://keyward.example.com"),
            ("http://host:80/a/b/", "http://host/a/b"),
            ("http://host:443", "http://host:443"),
            (" http://[::1]:7080 ", "http://[::1]:7080"),
            ("http://[::1]", "http://[::1]"),
        ] {
            assert_eq!(text.parse::<ServerUrl>().unwrap().as_str(), form, "{text}");
        }
    }

    #[test]
    fn ambiguous_urls_are_rejected() {
        for text in [
            "",
            "127.0.0.1:7080",
            "ftp://host",
            "http://",
            "http://:80",
            "http://host:",
            "http://host:0",
            "http://host:+80",
            "http://host:70800",
            "http://a:1:2",
            "http://user@host",
            "http://good.example\\@evil.example",
            "http://ho st",
            "http://h%6Fst",
            "http://[::1",
            "http://[nothing]",
            "http://host/a b",
            "http://host/../x",
            "http://host/%2e%2E/x",
            "http://host?x",
            "http://host#x",
            "http://bücher.example",
            "http://ho\tst",
        ] {
            assert!(text.parse::<ServerUrl>().is_err(), "{text:?}");
        }
    }
}
