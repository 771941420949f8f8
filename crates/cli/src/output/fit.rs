//! Fits a table into the width of a terminal: long words are shortened, then columns are dropped. No word
//! is split.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The number of spaces between two columns.
pub(super) const GAP: u16 = 2;

/// Words are not shortened to less than this width, which tells most names and scopes apart, while there is
/// a column to drop instead.
const MIN_SHORTENED: u16 = 14;

/// The width that a column needs so that no word in it is split.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MinWidth {
    /// Of the words that must stay whole.
    rigid: u16,
    /// Of the words that may be shortened.
    flexible: u16,
}

/// How a table fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fit {
    /// The indices of the columns that are shown.
    pub(super) kept: Vec<usize>,
    /// The width to which longer words are shortened.
    pub(super) longest_word: u16,
}

impl MinWidth {
    pub(super) fn of_header(header: &str) -> Self {
        Self { rigid: longest_word(header), flexible: 0 }
    }

    pub(super) fn widen(&mut self, text: &str, is_rigid: bool) {
        let widest = if is_rigid { &mut self.rigid } else { &mut self.flexible };
        *widest = longest_word(text).max(*widest);
    }

    /// The width without a gap, if words are shortened to `cap`.
    pub(super) fn width(self, cap: u16) -> u16 {
        self.rigid.max(self.flexible.min(cap))
    }
}

impl Fit {
    /// All columns, and words of any length.
    pub(super) fn unlimited(columns: usize) -> Self {
        Self { kept: (0..columns).collect(), longest_word: u16::MAX }
    }

    /// Shortens as little as possible, then drops as few columns as possible, in this order.
    pub(super) fn find(columns: &[MinWidth], width: u16, drop_order: impl Iterator<Item = usize>) -> Self {
        let mut fit = Self::unlimited(columns.len());
        let mut drop_order = drop_order;
        loop {
            let total =
                |cap: u16| fit.of(columns).map(|column| u32::from(column.width(cap)) + u32::from(GAP)).sum::<u32>();
            // No gap follows the last column.
            let fits = |cap: &u16| total(*cap) <= u32::from(width) + u32::from(GAP);
            if let Some(longest_word) = (MIN_SHORTENED..=width).rev().find(fits) {
                return Self { longest_word, ..fit };
            }
            let Some(dropped) = drop_order.next() else {
                let longest_word = (1..MIN_SHORTENED).rev().find(fits).unwrap_or(1);
                return Self { longest_word, ..fit };
            };
            fit.kept.retain(|kept| *kept != dropped);
        }
    }

    /// The elements of the columns that are shown.
    pub(super) fn of<'a, T>(&'a self, row: &'a [T]) -> impl Iterator<Item = &'a T> {
        self.kept.iter().filter_map(|index| row.get(*index))
    }
}

/// The text with each longer word shortened to this width. A comma after it stays.
pub(super) fn shortened(text: &str, width: u16) -> String {
    let words = text.split(' ').map(|word| {
        if word.width() <= usize::from(width) {
            return word.to_owned();
        }
        let (word, comma) = word.strip_suffix(',').map_or((word, ""), |word| (word, ","));
        // For the ellipsis and the comma.
        let mut left = usize::from(width).saturating_sub(1 + comma.len());
        let fits = |symbol: &char| {
            let width = symbol.width().unwrap_or(0);
            let has_room = width <= left;
            left = left.saturating_sub(width);
            has_room
        };
        format!("{}…{comma}", word.chars().take_while(fits).collect::<String>())
    });
    words.collect::<Vec<_>>().join(" ")
}

fn longest_word(text: &str) -> u16 {
    let longest = text.split(' ').map(UnicodeWidthStr::width).max().unwrap_or(0);
    u16::try_from(longest).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_shortened_before_columns_are_dropped() {
        let columns = [
            MinWidth { rigid: 14, flexible: 0 },
            MinWidth { rigid: 4, flexible: 30 },
            MinWidth { rigid: 7, flexible: 10 },
        ];
        let fit = |width| {
            let Fit { kept, longest_word } = Fit::find(&columns, width, [1, 2].into_iter());
            (kept, longest_word)
        };
        assert_eq!(fit(100), (vec![0, 1, 2], 100));
        assert_eq!(fit(60), (vec![0, 1, 2], 60));
        assert_eq!(fit(48), (vec![0, 1, 2], 20), "the widest column is shortened first");
        assert_eq!(fit(42), (vec![0, 1, 2], 14));
        assert_eq!(fit(41), (vec![0, 2], 41));
        assert_eq!(fit(20), (vec![0], 20));
        assert_eq!(fit(10), (vec![0], 1), "the first column stays");
    }

    #[test]
    fn a_shortened_word_ends_in_an_ellipsis() {
        for (text, short) in [
            ("template:read, workspace:read", "templat…, workspac…"),
            ("12345678 123456789", "12345678 1234567…"),
            ("12345678, 123456789,", "12345678, 1234567…,"),
            ("日本語のトークン", "日本語…"),
        ] {
            assert_eq!(shortened(text, if text.contains(',') { 9 } else { 8 }), short);
        }
    }
}
