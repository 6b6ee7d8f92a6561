//! Prints views as JSON on standard output.

use anyhow::Result;
use serde::Serialize;

use super::say;
use crate::views::Document;

/// Prints a view as a document.
pub fn print(view: impl Serialize) -> Result<()> {
    say!("{}", serde_json::to_string_pretty(&Document::of(view))?);
    Ok(())
}

/// A JSON document with a list that may not fit in memory. Each row is printed as it is read, on its own line.
pub struct LongList {
    rows: usize,
}

impl LongList {
    /// Prints the fields before the list, and the list's name.
    pub fn begin(head: impl Serialize, name: &str) -> Result<LongList> {
        let head = serde_json::to_string(&Document::of(head))?;
        let open = head.strip_suffix('}').unwrap_or(&head);
        say!("{open},\"{name}\":[");
        Ok(LongList { rows: 0 })
    }

    pub fn add(&mut self, row: &impl Serialize) -> Result<()> {
        say!("{}{}", if self.rows == 0 { "" } else { "," }, serde_json::to_string(row)?);
        self.rows += 1;
        Ok(())
    }

    /// Prints whether there are more rows than those printed, and ends the document.
    pub fn end(self, more: bool) {
        say!("],\"more\":{more}}}");
    }
}
