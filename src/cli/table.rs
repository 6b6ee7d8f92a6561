//! Rows that people read: aligned on a terminal, with tabs between the cells in a pipe.

use std::io::IsTerminal;

use super::say;

/// A table whose rows come page by page.
pub struct Table {
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    terminal: bool,
    begun: bool,
}

/// Rows that are aligned with each other.
const PAGE: usize = 500;

/// How wide it gets on a terminal.
const WIDTH: u16 = 130;

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

    /// Prints what is left.
    pub fn finish(mut self) {
        if !self.rows.is_empty() {
            self.page();
        }
    }

    fn page(&mut self) {
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::UTF8_BORDERS_ONLY);
        table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic).set_width(WIDTH);
        table.set_header(&self.header);
        table.add_rows(self.rows.drain(..));
        say!("{table}");
    }
}
