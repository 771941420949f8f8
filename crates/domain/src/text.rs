//! Characters that people cannot see, by the Unicode Character Database.

use icu_properties::props::{BinaryProperty as _, DefaultIgnorableCodePoint, VariationSelector};

/// Whether it is a control, bidirectional (UAX #9), zero-width or otherwise ignorable character, or a
/// line separator: one that cannot be seen, or that changes how others are seen.
#[must_use]
pub fn is_invisible(symbol: char) -> bool {
    symbol.is_control()
        || DefaultIgnorableCodePoint::for_char(symbol)
        // The line and paragraph separators, and the interlinear annotations.
        || matches!(symbol, '\u{2028}'..='\u{2029}' | '\u{FFF9}'..='\u{FFFB}')
}

/// Whether it only chooses the glyph of the character before it.
#[must_use]
pub fn is_variation_selector(symbol: char) -> bool {
    VariationSelector::for_char(symbol)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_invisible() {
        for symbol in [
            '\0',
            '\u{1b}',
            '\u{7f}',
            '\u{9b}',
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{17b4}',
            '\u{180e}',
            '\u{200b}',
            '\u{200f}',
            '\u{2028}',
            '\u{202e}',
            '\u{2060}',
            '\u{2069}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fffb}',
            '\u{e0041}',
        ] {
            assert!(is_invisible(symbol), "U+{:04X}", u32::from(symbol));
        }
        for symbol in ['a', ' ', 'é', '字', '\u{301}', '\u{600}', '👍'] {
            assert!(!is_invisible(symbol), "U+{:04X}", u32::from(symbol));
        }
        assert!(is_variation_selector('\u{fe0f}') && !is_variation_selector('a'));
    }
}
