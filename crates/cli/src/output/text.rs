//! Makes text from outside safe to print: escapes invisible characters and redacts key secrets.

use std::borrow::Cow;
use std::fmt::Write;

use keyward_sdk::{KeyId, text};

/// Escapes characters that control the terminal, reorder the text or are invisible: `\n`, `\t`,
/// `\u{1b}`, `\u{202e}`.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    replace(text, |symbol, out| match symbol {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        _ => push(out, format_args!("\\u{{{:x}}}", u32::from(symbol))),
    })
}

/// Like [`visible`], for JSON text: uses JSON escapes, so that the parsed value stays the same. The
/// newlines of the layout stay. All other such characters are inside strings.
pub(super) fn visible_json(json: &str) -> Cow<'_, str> {
    replace(json, |symbol, out| {
        if symbol == '\n' {
            out.push('\n');
            return;
        }
        for unit in symbol.encode_utf16(&mut [0; 2]) {
            push(out, format_args!("\\u{unit:04x}"));
        }
    })
}

/// Redacts the secret of every full key in the text; the IDs stay.
pub(super) fn masked(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, secret)) = find_key(rest) {
        out.push_str(before);
        out.push_str("-[redacted]");
        rest = rest.get(before.len() + secret.len()..).unwrap_or_default();
    }
    if out.is_empty() {
        return Cow::Borrowed(text);
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The text up to the end of the first key's ID, and the key's secret with its leading dash.
fn find_key(text: &str) -> Option<(&str, &str)> {
    let starts = text.match_indices("kw").map(|(at, _)| at);
    starts.into_iter().find_map(|start| {
        let (id, rest) = text.get(start..)?.split_at_checked(KeyId::LENGTH)?;
        id.parse::<KeyId>().ok()?;
        let secret = rest.strip_prefix('-')?;
        let len = secret.bytes().take_while(u8::is_ascii_alphanumeric).count();
        if len == 0 {
            return None;
        }
        Some((text.get(..start + KeyId::LENGTH)?, rest.get(..=len)?))
    })
}

fn replace(text: &str, write: impl Fn(char, &mut String)) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for symbol in text.chars() {
        if is_hidden(symbol) { write(symbol, &mut out) } else { out.push(symbol) }
    }
    Cow::Owned(out)
}

fn push(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _: std::fmt::Result = out.write_fmt(arguments);
}

/// Whether a symbol is escaped. Variation selectors are not: they only choose a glyph.
fn is_hidden(symbol: char) -> bool {
    text::is_invisible(symbol) && !text::is_variation_selector(symbol)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_escaped() {
        for (text, seen) in [
            ("plain text, ünïcode ✓", "plain text, ünïcode ✓"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
            ("\u{9b}31m\u{7f}", "\\u{9b}31m\\u{7f}"),
            ("user\u{202e}nimda", "user\\u{202e}nimda"),
            ("a\u{200b}b\u{feff}", "a\\u{200b}b\\u{feff}"),
        ] {
            assert_eq!(visible(text), seen);
        }
    }

    #[test]
    fn json_keeps_its_value() {
        let value = serde_json::json!({"name": "a\u{9b}b\u{202e}c\u{e0041}\u{1b}\u{7f}\n"});
        let json = serde_json::to_string_pretty(&value).unwrap();
        let seen = visible_json(&json);
        assert!(seen.chars().all(|symbol| symbol == '\n' || !is_hidden(symbol)), "{seen}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&seen).unwrap(), value);
        assert!(seen.starts_with("{\n"), "the layout stays");
    }

    #[test]
    fn the_secrets_of_keys_are_redacted() {
        let key = "kwd_a1B2c3D4e5-0123456789abcdefghijklmnopqr";
        for (text, seen) in [
            (key.to_owned(), "kwd_a1B2c3D4e5-[redacted]"),
            (
                format!("kw é kwd_ '{key}' and {key}."),
                "kw é kwd_ 'kwd_a1B2c3D4e5-[redacted]' and kwd_a1B2c3D4e5-[redacted].",
            ),
            ("kws_a1B2c3D4e5 and kwd_short-x".to_owned(), "kws_a1B2c3D4e5 and kwd_short-x"),
        ] {
            assert_eq!(masked(&text), seen);
        }
    }
}
