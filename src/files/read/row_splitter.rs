//! Splits text into rows before the CSV reader sees them, strictly by RFC 4180. A line with wrong quotes becomes a row of its
//! own, which the CSV reader gets as one quoted cell; the next line is read as a row again. So an unclosed quote swallows no
//! rows. The content of cells is not examined.

use std::collections::VecDeque;
use std::io::{self, Read};

use super::file_error::FileError;
use crate::domain::intake::code::FileCode;

/// The bytes read at once.
const PIECE: usize = 1 << 17;

/// The characters that separate cells, and the length limit of rows.
#[derive(Debug, Clone, Copy)]
pub struct Signs {
    /// The most bytes in a row.
    pub longest: u64,
    pub delimiter: u8,
    /// The quote character; `None` if quotes have no meaning.
    pub quote: Option<u8>,
}

/// The number of cells per row, known once the header is.
#[derive(Debug, Clone, Copy)]
pub struct Width {
    /// Applies to rows after this line.
    pub header_line: u64,
    pub cells: usize,
    /// Rows may have further cells at their end.
    pub or_more: bool,
}

/// A fault in a row's quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A quote inside a cell that does not begin with one.
    QuoteWithin,
    /// Text after the quote that closes a cell.
    TextAfter,
    /// An opening quote whose closing quote does not end a cell.
    NotClosed,
}

/// A row with wrong quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadQuotes {
    pub line: u64,
    pub fault: Fault,
    /// The index of the cell, from 0.
    pub cell: usize,
}

/// Text on its way to the CSV reader.
pub struct RowSplitter<R> {
    text: R,
    signs: Signs,
    width: Option<Width>,
    /// Hands out single rows until the header is found, because the header sets the width of the rows after it.
    one_by_one: bool,
    is_at_end: bool,
    /// Bytes read but not yet handed out.
    buffer: Vec<u8>,
    /// The start of the current row; all rows before it are complete.
    row_at: usize,
    row_line: u64,
    /// The position up to which bytes have been examined.
    at: usize,
    /// Inside a quoted cell.
    quoted: bool,
    /// The position of the last opening quote.
    opened_at: usize,
    /// The line breaks in the current row so far, all inside quotes.
    breaks: Vec<usize>,
    /// The fault of the current row and its position, until the end of the line is read.
    wrong: Option<(Fault, usize)>,
    /// Complete rows to hand out, and how many bytes of them are handed out.
    ready: Vec<u8>,
    given: usize,
    bad: VecDeque<BadQuotes>,
}

impl<R: Read> RowSplitter<R> {
    /// Splits text whose header is not known yet; see [`RowSplitter::found_header`].
    pub fn before_header(text: R, signs: Signs) -> RowSplitter<R> {
        RowSplitter { one_by_one: true, ..RowSplitter::with_width(text, signs, None) }
    }

    /// Splits text with rows of a known width, or of no fixed width.
    pub fn with_width(text: R, signs: Signs, width: Option<Width>) -> RowSplitter<R> {
        RowSplitter {
            text,
            signs,
            width,
            one_by_one: false,
            is_at_end: false,
            buffer: Vec::with_capacity(2 * PIECE),
            row_at: 0,
            row_line: 1,
            at: 0,
            quoted: false,
            opened_at: 0,
            breaks: Vec::new(),
            wrong: None,
            ready: Vec::with_capacity(PIECE),
            given: 0,
            bad: VecDeque::new(),
        }
    }

    pub fn found_header(&mut self, width: Width) {
        (self.width, self.one_by_one) = (Some(width), false);
    }

    /// The fault in the quotes of the row that begins at a line. Ask once per row, in order.
    pub fn bad_quotes(&mut self, line: u64) -> Option<BadQuotes> {
        self.bad.pop_front_if(|bad| bad.line == line)
    }

    /// Prepares the next rows, if there are any.
    fn fill(&mut self) -> Result<(), io::Error> {
        self.ready.clear();
        self.given = 0;
        loop {
            self.split().map_err(FileError::into_io)?;
            if !self.ready.is_empty() || self.is_at_end && self.row_at == self.buffer.len() {
                return Ok(());
            }
            self.read_on()?;
        }
    }

    /// Discards what was handed out and reads the next piece.
    fn read_on(&mut self) -> io::Result<()> {
        let done = self.row_at;
        self.buffer.drain(..done);
        (self.row_at, self.at) = (0, self.at - done);
        self.opened_at = self.opened_at.saturating_sub(done);
        self.breaks.iter_mut().for_each(|at| *at -= done);
        self.wrong = self.wrong.map(|(fault, at)| (fault, at - done));
        let length = self.buffer.len();
        self.buffer.resize(length + PIECE, 0);
        let read = self.text.read(&mut self.buffer[length..]);
        self.buffer.truncate(length + *read.as_ref().unwrap_or(&0));
        self.is_at_end = read? == 0;
        Ok(())
    }

    /// Splits the buffer into rows, as far as they are complete.
    fn split(&mut self) -> Result<(), FileError> {
        let quote = self.signs.quote;
        // Rows without faults are handed out together.
        let mut good_from = self.row_at;
        loop {
            if self.one_by_one && (self.row_at > good_from || !self.ready.is_empty()) {
                break;
            }
            if let Some((fault, cell_at)) = self.wrong {
                let from = self.at;
                let end = self.breaks.first().copied();
                let end = end.or_else(|| memchr::memchr(b'\n', &self.buffer[from..]).map(|at| from + at));
                let end = match end {
                    Some(end) => end,
                    None if self.is_at_end => self.buffer.len(),
                    None => {
                        self.at = self.buffer.len();
                        self.check(self.at)?;
                        break;
                    }
                };
                self.check(end)?;
                self.ready.extend_from_slice(&self.buffer[good_from..self.row_at]);
                self.set_apart(fault, cell_at, end);
                good_from = self.row_at;
                continue;
            }
            let found = memchr::memchr2(quote.unwrap_or(b'\n'), b'\n', &self.buffer[self.at..]);
            let Some(here) = found.map(|at| self.at + at) else {
                self.at = self.buffer.len();
                if self.is_at_end && self.row_at < self.buffer.len() {
                    self.end()?;
                    if self.wrong.is_some() {
                        continue;
                    }
                    self.row_at = self.buffer.len();
                } else {
                    self.too_long(self.at)?;
                    if self.wrong.is_some() {
                        continue;
                    }
                }
                break;
            };
            if Some(self.buffer[here]) == quote {
                if !self.quote(here) {
                    self.at = here;
                    break;
                }
            } else if self.quoted {
                self.breaks.push(here);
                self.at = here + 1;
                self.too_long(here)?;
            } else {
                self.at = here + 1;
                self.too_long(here)?;
                if self.wrong.is_none() && self.is_several_rows(here) {
                    self.wrong = Some((Fault::NotClosed, self.opened_in_first_line()));
                }
                if self.wrong.is_none() {
                    self.next_row(here + 1, self.breaks.len() as u64 + 1);
                }
            }
        }
        self.ready.extend_from_slice(&self.buffer[good_from..self.row_at]);
        Ok(())
    }

    fn next_row(&mut self, at: usize, lines: u64) {
        (self.row_at, self.at) = (at, at);
        self.row_line += lines;
        self.quoted = false;
        self.breaks.clear();
    }

    /// Processes a quote. Returns false if more text is needed to decide.
    fn quote(&mut self, here: usize) -> bool {
        let Signs { delimiter, quote, .. } = self.signs;
        self.at = here + 1;
        if !self.quoted {
            let begins = here == self.row_at || self.buffer[here - 1] == delimiter;
            (self.quoted, self.opened_at) = (begins, here);
            if !begins {
                // A closing quote is always followed by the end of its cell, so this cell did not begin with a quote.
                self.wrong = Some(match self.breaks.is_empty() {
                    true => (Fault::QuoteWithin, here),
                    false => (Fault::NotClosed, self.opened_in_first_line()),
                });
            }
            return true;
        }
        let after = |at: usize| self.buffer.get(at).copied();
        match (after(here + 1), after(here + 2)) {
            (None, _) | (Some(b'\r'), None) if !self.is_at_end => return false,
            (Some(next), _) if Some(next) == quote => self.at = here + 2,
            (Some(next), _) if next == delimiter || next == b'\n' => self.quoted = false,
            (None, _) | (Some(b'\r'), Some(b'\n') | None) => self.quoted = false,
            _ if self.breaks.is_empty() => self.wrong = Some((Fault::TextAfter, self.opened_at)),
            // This quote was meant to open another cell.
            _ => self.wrong = Some((Fault::NotClosed, self.opened_in_first_line())),
        }
        true
    }

    /// Handles the end of the text in the middle of a line.
    fn end(&mut self) -> Result<(), FileError> {
        if !self.quoted {
            self.too_long(self.buffer.len())?;
            if self.wrong.is_none() && self.is_several_rows(self.buffer.len()) {
                self.wrong = Some((Fault::NotClosed, self.opened_in_first_line()));
            }
            return Ok(());
        }
        if !self.breaks.is_empty() {
            self.wrong = Some((Fault::NotClosed, self.opened_in_first_line()));
            return Ok(());
        }
        let message = format!(
            "the file ends inside a quote that opens in its last line, {}: the file is incomplete, or the quote is a mistake; \
             correct the file and send it again",
            self.row_line
        );
        Err(FileError::new(FileCode::Truncated, message))
    }

    /// Hands out a line as a single quoted cell and continues after it.
    fn set_apart(&mut self, fault: Fault, cell_at: usize, end: usize) {
        let quote = self.signs.quote.unwrap_or(b'"');
        let line = &self.buffer[self.row_at..end];
        let before = &self.buffer[self.row_at..cell_at.clamp(self.row_at, end)];
        let cell = cells_before(before, self.signs.delimiter, quote);
        self.ready.push(quote);
        for &byte in line.strip_suffix(b"\r").unwrap_or(line) {
            self.ready.push(byte);
            if byte == quote {
                self.ready.push(quote);
            }
        }
        self.ready.extend_from_slice(&[quote, b'\n']);
        self.bad.push_back(BadQuotes { line: self.row_line, fault, cell });
        self.wrong = None;
        self.next_row((end + 1).min(self.buffer.len()), 1);
    }

    /// Whether a row of several lines that ends here is really several rows with misplaced quotes: its cell count differs from
    /// the header's, or its first line and another line could each be a row.
    fn is_several_rows(&self, end: usize) -> bool {
        let Some(width) = self.width.filter(|width| !self.breaks.is_empty() && self.row_line > width.header_line)
        else {
            return false;
        };
        let Signs { delimiter, quote, .. } = self.signs;
        let row = &self.buffer[self.row_at..end];
        let cells = cells_before(row, delimiter, quote.unwrap_or(b'"')) + 1;
        if cells < width.cells || cells > width.cells && !width.or_more {
            return true;
        }
        let could_be_row = |line: &[u8]| memchr::memchr_iter(delimiter, line).count() + 1 >= width.cells;
        let mut lines = row.split(|byte| *byte == b'\n');
        width.cells > 2 && lines.next().is_some_and(could_be_row) && lines.any(could_be_row)
    }

    /// The position of the quote in the row's first line that the line does not close: the last opening quote.
    fn opened_in_first_line(&self) -> usize {
        let end = self.breaks.first().copied().unwrap_or(self.at);
        let quote = self.signs.quote.unwrap_or(b'"');
        let (mut quoted, mut opened_at) = (false, self.row_at);
        for at in memchr::memchr_iter(quote, &self.buffer[self.row_at..end]) {
            quoted = !quoted;
            if quoted {
                opened_at = self.row_at + at;
            }
        }
        opened_at
    }

    /// Marks a quoted row that is too long as faulty, or refuses a line that is too long.
    fn too_long(&mut self, end: usize) -> Result<(), FileError> {
        if ((end - self.row_at) as u64) <= self.signs.longest {
            return Ok(());
        }
        if self.breaks.is_empty() {
            return self.check(end);
        }
        self.wrong.get_or_insert((Fault::NotClosed, self.opened_in_first_line()));
        Ok(())
    }

    /// Refuses a line that is longer than the limit.
    fn check(&self, end: usize) -> Result<(), FileError> {
        let longest = self.signs.longest;
        if ((end - self.row_at) as u64) <= longest {
            return Ok(());
        }
        let message = format!(
            "line {} is longer than the limit of {longest} bytes; correct it, or raise line_kib in the feed's limits",
            self.row_line
        );
        Err(FileError::new(FileCode::LineTooLong, message))
    }
}

/// The number of cells that end in a part of a row.
fn cells_before(part: &[u8], delimiter: u8, quote: u8) -> usize {
    let (mut quoted, mut cells) = (false, 0);
    for at in memchr::memchr2_iter(quote, delimiter, part) {
        if part[at] == quote {
            quoted = !quoted;
        } else if !quoted {
            cells += 1;
        }
    }
    cells
}

impl<R: Read> Read for RowSplitter<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.given == self.ready.len() && !into.is_empty() {
            self.fill()?;
        }
        let rest = &self.ready[self.given..];
        let length = rest.len().min(into.len());
        into[..length].copy_from_slice(&rest[..length]);
        self.given += length;
        Ok(length)
    }
}

#[cfg(test)]
#[path = "row_splitter_tests.rs"]
mod tests;
