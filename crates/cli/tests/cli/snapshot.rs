//! Snapshots: what a run printed, with what differs from run to run in angle brackets.

use keyward_sdk::Timestamp;

/// Puts words in the place of keys, ids of keys, UUIDs, instants and the address of the test's server. Each
/// must have its whole form, or it stays as it is and the snapshot does not match.
pub fn redacted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let inside_word = out.chars().next_back().is_some_and(char::is_alphanumeric);
        let found = if inside_word { None } else { replaced(rest) };
        let length = match found {
            Some((word, length)) => {
                out.push_str(word);
                length
            }
            None => {
                out.push(first);
                first.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    out
}

/// The lines of a text without the space that all of them begin with, nor the empty line before the first.
pub fn dedented(text: &str) -> String {
    let lines = || text.trim_end().lines().skip_while(|line| line.trim().is_empty());
    let indents = lines().filter(|line| !line.trim().is_empty()).map(|line| line.len() - line.trim_start().len());
    let indent = indents.min().unwrap_or(0);
    lines().map(|line| line.get(indent..).unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The word for what the text begins with, and the length of that.
fn replaced(text: &str) -> Option<(&'static str, usize)> {
    const ID: usize = 14;
    const SECRET: usize = 28;
    if let Some(digits) = text.strip_prefix("kwd_").or_else(|| text.strip_prefix("kws_")) {
        let count = |text: &str| text.bytes().take_while(u8::is_ascii_alphanumeric).count();
        if count(digits) + 4 != ID {
            return None;
        }
        let whole = text[ID..].strip_prefix('-').is_some_and(|secret| count(secret) == SECRET);
        return Some(if whole { ("<token>", ID + 1 + SECRET) } else { ("<id>", ID) });
    }
    if let Some(port) = text.strip_prefix("http://127.0.0.1:") {
        let digits = port.bytes().take_while(u8::is_ascii_digit).count();
        return Some(("<url>", text.len() - port.len() + digits));
    }
    if text.get(..36).is_some_and(is_uuid) {
        return Some(("<uuid>", 36));
    }
    let instant = text.find('Z').and_then(|end| text.get(..=end)).filter(|text| text.len() <= 27)?;
    instant.parse::<Timestamp>().ok().map(|_| ("<time>", instant.len()))
}

fn is_uuid(text: &str) -> bool {
    text.bytes().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
    })
}

#[test]
fn what_differs_from_run_to_run_is_hidden_and_nothing_else() {
    let uuid = "01234567-89ab-7def-8000-0123456789ab";
    for (text, seen) in [
        ("kwd_a1B2c3D4e5-0123456789abcdefghijklmnopqr, kws_a1B2c3D4e5", "<token>, <id>"),
        ("kwd_a1B2c3D4e5-0123, xkwd_a1B2c3D4e5, kwd_a1B2", "<id>-0123, xkwd_a1B2c3D4e5, kwd_a1B2"),
        ("at 2026-01-31T12:00:00.5Z (http://127.0.0.1:80/x)", "at <time> (<url>/x)"),
        ("2026-01-31 is Zany", "2026-01-31 is Zany"),
        (uuid, "<uuid>"),
        (&uuid.to_uppercase(), &uuid.to_uppercase()),
    ] {
        assert_eq!(redacted(text), seen);
    }
    assert_eq!(dedented("\n    a\n      b\n\n    c\n"), "a\n  b\n\nc");
}
