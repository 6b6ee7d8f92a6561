//! Prints tables and text for people. On a terminal, lines fit its width. In a pipe, the cells of a [`Table`]'s rows
//! are separated by tabs.

use std::io::IsTerminal;

use comfy_table::{ColumnConstraint, ContentArrangement, Width, presets};

use super::say;

/// The width of a box in a pipe.
const IN_A_PIPE: u16 = 100;

/// The smallest width: a narrower table can't be read.
const NARROWEST: u16 = 40;

/// The widest cell of a column that does not wrap, so that names and dates stay on one line. These columns together
/// take at most half of the box.
const KEPT_WHOLE: u16 = 20;

/// Returns the width from COLUMNS or else the terminal's width, or `None` in a pipe.
fn width() -> Option<u16> {
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let terminal = || terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| width.0);
    said.filter(|width| *width > 0).or_else(terminal).map(|width: u16| width.max(NARROWEST))
}

/// Prints rows in a box.
pub fn print_box(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
    let width = width().unwrap_or(IN_A_PIPE);
    let mut table = comfy_table::Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    if !header.is_empty() {
        table.set_header(header);
    }
    table.add_rows(rows);
    let widths = table.column_max_content_widths();
    let mut left = width / 2;
    for (column, width) in table.column_iter_mut().zip(widths).filter(|(_, width)| *width <= KEPT_WHOLE) {
        if width + 2 <= left {
            left -= width + 2;
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    say!("{table}");
}

/// Prints each text beside its label and wraps it at the width. A label takes `label_width` columns, including the
/// blanks after it.
pub fn print_fields(label_width: u16, fields: impl IntoIterator<Item = (String, String)>) {
    let at = usize::from(label_width);
    let Some(width) = width().filter(|width| *width > label_width * 2) else {
        for (label, text) in fields {
            say!("{label:<at$}{text}");
        }
        return;
    };
    let mut table = comfy_table::Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    let mut widths = vec![label_width, width - label_width];
    widths.retain(|width| *width > 0);
    let cells = |(label, text)| if widths.len() == 1 { vec![text] } else { vec![label, text] };
    table.add_rows(fields.into_iter().map(cells));
    for (column, fixed) in table.column_iter_mut().zip(&widths) {
        column.set_padding((0, 0)).set_constraint(ColumnConstraint::Absolute(Width::Fixed(*fixed)));
    }
    if !table.is_empty() {
        say!("{}", table.trim_fmt());
    }
}

/// Prints a line and wraps it at the width. Wrapped lines keep the indentation of the first.
pub fn print_wrapped(line: &str) {
    let text = line.trim_start_matches(' ');
    let indent = u16::try_from(line.len() - text.len()).unwrap_or(0);
    print_fields(indent, [(String::new(), text.to_owned())]);
}

/// Prints a line that wraps at the terminal's width.
macro_rules! show {
    ($($text:tt)*) => { $crate::cli::table::print_wrapped(&format!($($text)*)) };
}
pub(super) use show;

/// A table that prints its rows page by page.
pub struct Table {
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    terminal: bool,
    begun: bool,
}

/// How many rows are aligned with each other.
const PAGE: usize = 500;

impl Table {
    pub fn new<const N: usize>(header: [&'static str; N]) -> Table {
        Table { header: header.to_vec(), rows: Vec::new(), terminal: std::io::stdout().is_terminal(), begun: false }
    }

    pub fn add<const N: usize>(&mut self, row: [String; N]) {
        if self.terminal {
            self.rows.push(row.to_vec());
            if self.rows.len() == PAGE {
                self.page();
            }
        } else {
            if !self.begun {
                say!("{}", self.header.join("\t"));
                self.begun = true;
            }
            let cells = row.map(|cell| cell.replace(|c: char| c.is_control(), " "));
            say!("{}", cells.join("\t"));
        }
    }

    /// Prints the remaining rows.
    pub fn finish(mut self) {
        if !self.rows.is_empty() {
            self.page();
        }
    }

    /// Prints a page without the columns that are empty or 0 in every row.
    fn page(&mut self) {
        let says = |column: &usize| self.rows.iter().any(|row| !matches!(row[*column].as_str(), "" | "0"));
        let columns: Vec<usize> = (0..self.header.len()).filter(says).collect();
        let header: Vec<&str> = columns.iter().map(|column| self.header[*column]).collect();
        let rows = self.rows.iter_mut();
        let rows: Vec<Vec<String>> =
            rows.map(|row| columns.iter().map(|column| std::mem::take(&mut row[*column])).collect()).collect();
        self.rows.clear();
        print_box(&header, rows);
    }
}
