//! Renders tables: fitted to the width of a terminal, plain and exact elsewhere, or as CSV.

use comfy_table::{Attribute, Color, ColumnConstraint, ContentArrangement, Width};
use keyward_sdk::{Lifetime, Timestamp};

use super::fit::{Fit, GAP, MinWidth, shortened};
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
    drop_first: Vec<&'static str>,
    has_header: bool,
}

/// A rendered table.
#[derive(Clone, Debug)]
pub(super) struct Rendered {
    pub(super) text: String,
    /// The columns for which the terminal has no room.
    pub(super) dropped: Vec<&'static str>,
    /// The width of the terminal.
    pub(super) width: u16,
}

/// An expiry nearer than this is coloured.
const EXPIRES_SOON: Lifetime = Lifetime::days(7);

/// The width of a terminal that does not report its width, in columns.
const DEFAULT_WIDTH: u16 = 80;

impl Table {
    /// A table of these rows. Each row must have one cell per column.
    pub(crate) fn new(columns: Vec<&'static str>, rows: Vec<Vec<Cell>>) -> Self {
        Self { columns, rows, drop_first: Vec::new(), has_header: true }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn has_header(&self) -> bool {
        self.has_header
    }

    /// Drops these columns first, in this order, if the terminal is too narrow for all. Without it, the
    /// last columns are dropped first.
    pub(crate) fn dropping_first(mut self, columns: &[&'static str]) -> Self {
        self.drop_first = columns.to_vec();
        self
    }

    /// Leaves out the header, for rows that continue a table.
    pub(crate) fn without_header(mut self) -> Self {
        self.has_header = false;
        self
    }

    /// Renders text with upper-case headers. On a terminal, rows fit the width and times are relative;
    /// elsewhere nothing is wrapped or cut, and times are exact.
    pub(super) fn render(&self, terminal: bool, color: bool, now: Timestamp) -> Rendered {
        let style = Style { terminal, color, now };
        let mut drawn = style.blank();
        let headers: Vec<_> = self.columns.iter().map(|name| name.to_uppercase()).collect();
        let texts: Vec<Vec<_>> =
            self.rows.iter().map(|row| row.iter().map(|cell| style.text(cell)).collect()).collect();
        let mut min_widths: Vec<_> = headers.iter().map(|header| MinWidth::of_header(header)).collect();
        for (row, texts) in self.rows.iter().zip(&texts) {
            for ((min, cell), text) in min_widths.iter_mut().zip(row).zip(texts) {
                min.widen(text, cell.is_rigid());
            }
        }
        let width = drawn.width().filter(|_| terminal);
        let fit = width.map_or_else(
            || Fit::unlimited(self.columns.len()),
            |width| Fit::find(&min_widths, width, self.drop_order()),
        );
        if self.has_header {
            drawn.set_header(fit.of(&headers).map(|header| style.label(header)));
        }
        for (row, texts) in self.rows.iter().zip(&texts) {
            drawn.add_row(fit.of(row).zip(fit.of(texts)).map(|(cell, text)| {
                let is_whole = width.is_none() || cell.is_rigid();
                if is_whole { style.cell(cell, text) } else { style.cell(cell, &shortened(text, fit.longest_word)) }
            }));
        }
        if width.is_some() {
            let last = fit.kept.len().saturating_sub(1);
            for (index, (column, min)) in drawn.column_iter_mut().zip(fit.of(&min_widths)).enumerate() {
                let gap = if index == last { 0 } else { GAP };
                let least = Width::Fixed(min.width(fit.longest_word).saturating_add(gap));
                column.set_constraint(ColumnConstraint::LowerBoundary(least));
            }
        }
        let dropped = (0..self.columns.len()).filter(|index| !fit.kept.contains(index));
        let dropped = dropped.filter_map(|index| self.columns.get(index).copied()).collect();
        Rendered { text: style.print(drawn), dropped, width: width.unwrap_or(DEFAULT_WIDTH) }
    }

    /// The indices of the columns in the order in which they are dropped. The first column always stays.
    fn drop_order(&self) -> impl Iterator<Item = usize> {
        let named = self.drop_first.iter().filter_map(|name| self.columns.iter().position(|column| column == name));
        named.chain((0..self.columns.len()).rev()).filter(|index| *index > 0)
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
    /// Whether the value must stay whole: an ID that is cut cannot be used, and a time is short.
    fn is_rigid(&self) -> bool {
        match self {
            Self::Id(_) | Self::Time(_) | Self::Expiry(_) => true,
            Self::Text(_) | Self::List(_) => false,
        }
    }

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
        let last = table.column_count().saturating_sub(1);
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, if index == last { 0 } else { GAP }));
        }
        let mut text = table.trim_fmt();
        text.push('\n');
        text
    }
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
        let text = sample().render(false, false, now()).text;
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
        let text = sample().render(true, false, now()).text;
        assert!(text.lines().all(|line| line.chars().count() <= usize::from(DEFAULT_WIDTH)), "{text}");
        assert!(text.contains("in 7 days") && text.contains("never"), "{text}");
        assert!(text.contains("\nkwd_0000000002  word, "), "{text}");
        assert!(!text.contains('\u{1b}'));
        assert!(sample().render(true, true, now()).text.contains('\u{1b}'));
    }

    #[test]
    fn on_a_narrow_terminal_words_are_shortened_and_columns_dropped_but_never_split() {
        let end: Timestamp = "2026-02-07T12:00:00Z".parse().unwrap();
        let words = ["workspace:application_connect", "a", "nightly-deployment-of-everything", "svc-deploy"];
        let row = |count: usize| {
            let text = |index: usize| words[(count + index) % words.len()].to_owned();
            vec![
                Cell::Id("kwd_0000000001".into()),
                Cell::Text(text(0)),
                Cell::List(vec![text(1), text(2), text(3)]),
                Cell::List(vec!["*:*".into(); count]),
                Cell::Time(Timestamp::EPOCH),
                Cell::Expiry(end),
                Cell::Text(text(2)),
                Cell::Text(text(3)),
            ]
        };
        let names = ["id", "name", "scopes", "allow list", "last used", "expires at", "owner", "status"];
        for columns in 1..=names.len() {
            let rows = (0..4).map(|count| row(count)[..columns].to_vec()).collect();
            let table = Table::new(names[..columns].to_vec(), rows).dropping_first(&["allow list"]);
            let shown = table.render(true, false, now());
            let lines = || shown.text.lines();
            assert!(lines().all(|line| line.chars().count() <= usize::from(DEFAULT_WIDTH)), "{}", shown.text);
            for word in lines().skip(2).flat_map(str::split_whitespace) {
                let known = |known: &&str| known == &word.trim_end_matches(',');
                let is_whole = words.iter().any(known)
                    || ["kwd_0000000001", "*:*", "never", "in", "7", "days"].iter().any(known)
                    || names.iter().any(|name| name.to_uppercase().contains(word))
                    || word.trim_end_matches(',').ends_with('…');
                assert!(is_whole, "{word}: {}", shown.text);
            }
            assert_eq!(shown.dropped.is_empty(), columns < names.len() - 1, "{:?}: {}", shown.dropped, shown.text);
            assert!(shown.dropped.first().is_none_or(|first| *first == "allow list"), "{:?}", shown.dropped);
            assert!(shown.text.matches("kwd_0000000001").count() == 4, "IDs are whole: {}", shown.text);
        }
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
