//! Renders tables: fitted to the width of a terminal, plain and exact elsewhere, or as CSV.

use comfy_table::{Attribute, Color, ColumnConstraint, ContentArrangement, Width};
use keyward_sdk::{Lifetime, Timestamp};
use unicode_width::UnicodeWidthStr;

use super::text::visible;
use super::time::relative;

/// A value in a table.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    /// Text, possibly from the server.
    Text(String),
    /// Text that must not be broken, such as an ID.
    Id(String),
    /// Several texts.
    List(Vec<String>),
    /// The time of an event.
    Time(Timestamp),
    /// The time of expiry; coloured when it is near or past.
    Expiry(Timestamp),
}

/// Rows under named columns.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    columns: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

/// An expiry nearer than this is coloured.
const EXPIRES_SOON: Lifetime = Lifetime::days(7);

/// The width of a terminal that does not report its width, in columns.
const DEFAULT_WIDTH: u16 = 80;

impl Table {
    /// A table of these rows. Each row must have one cell per column.
    pub(crate) fn new(columns: Vec<&'static str>, rows: Vec<Vec<Cell>>) -> Self {
        Self { columns, rows }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Renders text with upper-case headers. On a terminal, rows fit the width and times are
    /// relative; elsewhere nothing is wrapped or cut, and times are exact.
    pub(super) fn render(&self, terminal: bool, color: bool, now: Timestamp) -> String {
        let style = Style { terminal, color, now };
        let mut drawn = style.blank();
        let headers: Vec<_> = self.columns.iter().map(|name| name.to_uppercase()).collect();
        let mut min_widths: Vec<_> = headers.iter().map(|header| MinWidth::of_header(header)).collect();
        drawn.set_header(headers.iter().map(|header| style.label(header)));
        for row in &self.rows {
            let texts: Vec<_> = row.iter().map(|cell| style.text(cell)).collect();
            for ((min, cell), text) in min_widths.iter_mut().zip(row).zip(&texts) {
                min.widen(cell, text);
            }
            drawn.add_row(row.iter().zip(&texts).map(|(cell, text)| style.cell(cell, text)));
        }
        if let Some(width) = drawn.width().filter(|_| terminal) {
            for (column, least) in drawn.column_iter_mut().zip(fit_columns(&min_widths, width)) {
                column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least)));
            }
        }
        style.print(drawn)
    }

    /// Renders CSV (RFC 4180, but lines end in LF) with exact times and the column names as header.
    pub(super) fn to_csv(&self) -> Result<Vec<u8>, csv::Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(&self.columns)?;
        for row in &self.rows {
            writer.write_record(row.iter().map(Cell::csv))?;
        }
        writer.into_inner().map_err(|error| error.into_error().into())
    }
}

/// Renders labelled values, one per line.
pub(super) fn render_details(fields: Vec<(&str, Cell)>, terminal: bool, color: bool, now: Timestamp) -> String {
    let style = Style { terminal, color, now };
    let mut drawn = style.blank();
    for (label, cell) in &fields {
        drawn.add_row([style.label(&label.to_uppercase()), style.cell(cell, &style.text(cell))]);
    }
    if let Some(column) = drawn.column_mut(0) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    style.print(drawn)
}

impl Cell {
    /// The value in CSV. A time that has not come, such as the last use of an unused key, is empty.
    fn csv(&self) -> String {
        match self {
            Self::Time(Timestamp::EPOCH) => String::new(),
            other => csv_text(&other.exact()),
        }
    }

    /// The value with exact times.
    fn exact(&self) -> String {
        match self {
            Self::Text(text) | Self::Id(text) => text.clone(),
            Self::List(items) => items.join(", "),
            Self::Time(Timestamp::EPOCH) => "never".to_owned(),
            Self::Time(instant) | Self::Expiry(instant) => instant.to_string(),
        }
    }

    /// The value for people, with relative times.
    fn humanized(&self, now: Timestamp) -> String {
        match self {
            Self::Text(_) | Self::Id(_) | Self::List(_) => self.exact(),
            Self::Time(instant) | Self::Expiry(instant) => relative(*instant, now),
        }
    }
}

/// The settings for rendering tables.
struct Style {
    terminal: bool,
    color: bool,
    now: Timestamp,
}

impl Style {
    fn blank(&self) -> comfy_table::Table {
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        if self.terminal {
            let width = table.width().filter(|&width| width > 0).unwrap_or(DEFAULT_WIDTH);
            table.set_width(width).set_content_arrangement(ContentArrangement::Dynamic);
        }
        // The library must not detect the terminal itself, because `color` and `terminal` decide.
        table.force_no_tty();
        if self.color {
            table.enforce_styling();
        }
        table
    }

    fn label(&self, text: &str) -> comfy_table::Cell {
        let cell = comfy_table::Cell::new(text);
        if self.color { cell.add_attribute(Attribute::Bold) } else { cell }
    }

    /// The text of a cell, escaped.
    fn text(&self, cell: &Cell) -> String {
        let text = if self.terminal { cell.humanized(self.now) } else { cell.exact() };
        visible(&text).into_owned()
    }

    fn cell(&self, cell: &Cell, text: &str) -> comfy_table::Cell {
        let drawn = comfy_table::Cell::new(text);
        match cell {
            Cell::Expiry(end) if self.color && *end <= self.now => drawn.fg(Color::Red),
            Cell::Expiry(end) if self.color && end.since(self.now) < EXPIRES_SOON => drawn.fg(Color::Yellow),
            Cell::Text(_) | Cell::Id(_) | Cell::List(_) | Cell::Time(_) | Cell::Expiry(_) => drawn,
        }
    }

    fn print(&self, mut table: comfy_table::Table) -> String {
        for column in table.column_iter_mut() {
            column.set_padding((0, GAP));
        }
        let mut text = table.trim_fmt();
        text.push('\n');
        text
    }
}

/// The number of spaces between two columns.
const GAP: u16 = 2;

/// The width that a column needs so that no word in it is broken.
#[derive(Clone, Copy, Debug, Default)]
struct MinWidth {
    /// Of its header, IDs and times, which must not be broken.
    rigid: u16,
    /// Of the other words, which may be broken.
    flexible: u16,
}

impl MinWidth {
    fn of_header(header: &str) -> Self {
        Self { rigid: longest_word(header), flexible: 0 }
    }

    fn widen(&mut self, cell: &Cell, text: &str) {
        let width = longest_word(text);
        match cell {
            Cell::Id(_) | Cell::Time(_) | Cell::Expiry(_) => self.rigid = self.rigid.max(width),
            Cell::Text(_) | Cell::List(_) => self.flexible = self.flexible.max(width),
        }
    }

    fn min_width(self, cap: u16) -> u16 {
        self.rigid.max(self.flexible.min(cap)).saturating_add(GAP)
    }
}

/// The minimum width of each column, chosen to break as few words as possible in a table of this
/// width. Empty if not even the unbreakable words fit.
fn fit_columns(min_widths: &[MinWidth], width: u16) -> Vec<u16> {
    let widths = |cap: u16| min_widths.iter().map(move |column| column.min_width(cap));
    let fits = |cap: &u16| widths(*cap).map(u32::from).sum::<u32>() <= u32::from(width);
    (0..=width).rev().find(fits).map(|cap| widths(cap).collect()).unwrap_or_default()
}

fn longest_word(text: &str) -> u16 {
    let longest = text.split(' ').map(UnicodeWidthStr::width).max().unwrap_or(0);
    u16::try_from(longest).unwrap_or(u16::MAX)
}

/// Puts a `'` before text that a spreadsheet would run as a formula.
fn csv_text(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("{guard}{}", visible(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let end: Timestamp = "2026-02-07T12:00:00Z".parse().unwrap();
        Table::new(
            vec!["id", "name", "expires at"],
            vec![
                vec![Cell::Id("kwd_0000000001".into()), Cell::Text("a\u{202e}b".into()), Cell::Expiry(end)],
                vec![
                    Cell::Id("kwd_0000000002".into()),
                    Cell::List(["word"; 40].map(str::to_owned).to_vec()),
                    Cell::Time(Timestamp::EPOCH),
                ],
            ],
        )
    }

    fn now() -> Timestamp {
        "2026-01-31T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn off_a_terminal_nothing_is_wrapped_and_times_are_exact() {
        let words = ["word"; 40].join(", ");
        let text = sample().render(false, false, now());
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines[0].starts_with("ID              NAME"), "{text}");
        assert!(lines[0].ends_with("EXPIRES AT"), "{text}");
        assert!(lines[1].starts_with("kwd_0000000001  a\\u{202e}b "), "{text}");
        assert!(lines[1].ends_with("  2026-02-07T12:00:00Z"), "{text}");
        assert_eq!(lines[2], format!("kwd_0000000002  {words}  never"));
    }

    #[test]
    fn on_a_terminal_the_table_fits_and_times_are_relative() {
        let text = sample().render(true, false, now());
        assert!(text.lines().all(|line| line.chars().count() <= usize::from(DEFAULT_WIDTH)), "{text}");
        assert!(text.contains("in 7 days") && text.contains("never"), "{text}");
        assert!(text.contains("\nkwd_0000000002  word, "), "{text}");
        assert!(!text.contains('\u{1b}'));
        assert!(sample().render(true, true, now()).contains('\u{1b}'));
    }

    #[test]
    fn words_are_broken_only_where_there_is_no_room() {
        let min_widths = [
            MinWidth { rigid: 14, flexible: 0 },
            MinWidth { rigid: 4, flexible: 30 },
            MinWidth { rigid: 7, flexible: 10 },
        ];
        assert_eq!(fit_columns(&min_widths, 100), [16, 32, 12]);
        assert_eq!(fit_columns(&min_widths, 50), [16, 22, 12], "the widest column shrinks first");
        assert_eq!(fit_columns(&min_widths, 31), [16, 6, 9]);
        assert!(fit_columns(&min_widths, 30).is_empty());
    }

    #[test]
    fn csv_guards_against_formulas() {
        for (text, guarded) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@x", "'@x"),
            ("\tx", "'\\tx"),
            ("\rx", "'\\rx"),
            ("a=1", "a=1"),
            ("", ""),
        ] {
            assert_eq!(csv_text(text), guarded);
        }
    }

    #[test]
    fn csv_has_the_column_names_and_exact_times() {
        let table = Table::new(
            vec!["name", "allow list", "last used"],
            vec![vec![Cell::Text("a\"b".into()), Cell::List(vec!["x:*".into(), "y:1".into()]), Cell::Time(now())]],
        );
        let csv = String::from_utf8(table.to_csv().unwrap()).unwrap();
        assert_eq!(csv, "name,allow list,last used\n\"a\"\"b\",\"x:*, y:1\",2026-01-31T12:00:00Z\n");
    }
}
