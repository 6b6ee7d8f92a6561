//! A file as a table: finds its encoding, its header and the lines that are rows. The content of cells is not interpreted
//! here.

use std::io::{self, Read};
use std::sync::Arc;

use csv::StringRecord;

use super::container::{self, Delivery};
use super::encoding::{self, Malformed, Script};
use super::file_error::FileError;
use super::row_splitter::{BadQuotes, Fault, RowSplitter, Signs, Width};
use crate::domain::intake::code::FileCode;
use crate::files::profile::mapping::Mapping;
use crate::files::profile::totals::Audit;
use crate::files::profile::{Header, Profile};
use crate::files::rows::Kind;

/// How many lines are searched for the header.
const BEFORE_HEADER: u64 = 200;

/// The columns that a rejects file has after the sender's columns.
const ADDED: [&str; 2] = ["code", "message"];

/// The detected layout of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    pub script: Script,
    pub delimiter: u8,
    /// The file is a corrected rejects file: UTF-8 with one header, without the other lines of its format.
    pub is_rejects: bool,
}

/// A file's rows on their way to the CSV reader.
type Split = RowSplitter<Box<dyn Read + Send>>;

/// An open file, past its header.
pub struct Table {
    pub layout: Layout,
    /// The sender's column names.
    pub header: Vec<String>,
    pub header_line: u64,
    /// `None` if cells are used unchanged.
    pub mapping: Option<Mapping>,
    /// The control totals, as far as the file was read.
    pub audit: Audit,
    /// The fault in the quotes of the last row. The row's only cell is then the whole line.
    pub bad_quotes: Option<BadQuotes>,
    profile: Arc<Profile>,
    reader: csv::Reader<io::Chain<Split, &'static [u8]>>,
    /// The totals have been read; no row may follow.
    ended: bool,
}

impl Table {
    /// Opens a file with the first allowed layout under which its header is found. An error may contain a [`FileError`].
    pub fn open(delivery: &Delivery<'_>) -> io::Result<Table> {
        let profile = delivery.profile;
        let scripts = possible(delivery)?;
        let mut forms = vec![false];
        // If rejects files have another layout than the sender's files, try that layout first.
        let is_ours = profile.is_plain() && profile.quote == Some(b'"');
        if !is_ours || profile.has_other_lines() || profile.header != Header::After(0) {
            forms.insert(0, true);
        }
        let mut why = None;
        for is_rejects in forms {
            // Rejects files are UTF-8, even if an editor has removed the byte order mark.
            let first = is_rejects.then_some(&Script::Utf8).filter(|utf8| !scripts.contains(utf8));
            for script in first.into_iter().chain(&scripts) {
                for delimiter in &profile.delimiters {
                    let layout = Layout { script: *script, delimiter: *delimiter, is_rejects };
                    match Table::open_as(delivery, layout).map_err(FileError::of) {
                        Ok(table) => return Ok(table),
                        Err(Err(io_error)) => return Err(io_error),
                        Err(Ok(_)) if is_rejects => {}
                        // A missing column says more than an encoding that does not fit.
                        Err(Ok(error)) if why.as_ref().is_none_or(|why: &FileError| why.code == FileCode::Encoding) => {
                            why = Some(error);
                        }
                        Err(Ok(_)) => {}
                    }
                }
            }
        }
        let none = || FileError::new(FileCode::Unreadable, "the profile names no encoding or no delimiter");
        Err(why.unwrap_or_else(none).into_io())
    }

    fn open_as(delivery: &Delivery<'_>, layout: Layout) -> io::Result<Table> {
        let profile = delivery.profile;
        let text = encoding::trusted(container::open(delivery)?, layout.script)?;
        let rows = RowSplitter::before_header(Box::new(text) as Box<dyn Read + Send>, signs(delivery, layout));
        let quote = quote_of(profile, layout);
        let reader = csv::ReaderBuilder::new()
            .flexible(true)
            .has_headers(false)
            .delimiter(layout.delimiter)
            .quoting(quote.is_some())
            .quote(quote.unwrap_or(b'"'))
            // Only LF ends a line, so that lines can be counted; a CR before it is removed later.
            .terminator(csv::Terminator::Any(b'\n'))
            .buffer_capacity(1 << 18)
            .from_reader(rows.chain(&b"\n"[..]));
        let audit = Audit::new(profile);
        let mut table = Table {
            layout,
            header: Vec::new(),
            header_line: 0,
            mapping: None,
            audit,
            bad_quotes: None,
            profile: profile.clone(),
            reader,
            ended: false,
        };
        table.find_header(delivery.kind)?;
        if let Some(width) = table.width() {
            table.splitter().found_header(width);
        }
        table.audit.header(&table.header);
        table.ended = false;
        Ok(table)
    }

    fn find_header(&mut self, kind: Kind) -> io::Result<()> {
        let mut record = StringRecord::new();
        let mut nearest: Option<(u64, Vec<String>)> = None;
        let mut looked_at = 0;
        while looked_at < BEFORE_HEADER {
            let line = match self.next_row(&mut record)? {
                Some(line) => line,
                None => break,
            };
            if matches!(self.profile.header, Header::After(lines) if line <= lines) && !self.layout.is_rejects {
                continue;
            }
            looked_at += 1;
            if let Some(BadQuotes { fault, .. }) = self.bad_quotes
                && self.profile.header != Header::Found
                && !self.layout.is_rejects
            {
                let why =
                    format!("the header, line {line}, has {}; correct it and send the file again", describe(fault));
                return Err(FileError::new(FileCode::Unreadable, why).into_io());
            }
            let header: Vec<String> = record.iter().map(|name| self.profile.cells.clean(name).to_owned()).collect();
            if self.layout.is_rejects && !header.ends_with(&ADDED.map(str::to_owned)) {
                break;
            }
            let is_text = check_is_text(&record).map_err(FileError::into_io);
            match Mapping::of(&self.profile, kind, &header) {
                Ok(mapping) => {
                    // The sender may have columns with the same names as the added ones.
                    let added = if self.layout.is_rejects { ADDED.len() } else { 0 };
                    let own = &header[..header.len() - added];
                    check_no_duplicate(&mapping, kind, own, self.profile.is_plain()).map_err(FileError::into_io)?;
                    self.mapping = (!self.profile.is_plain()).then_some(mapping);
                    is_text?;
                    (self.header, self.header_line) = (header, line);
                    return Ok(());
                }
                Err(missing) => {
                    if nearest.as_ref().is_none_or(|(_, fewest)| missing.len() < fewest.len()) {
                        nearest = Some((line, missing));
                    }
                    if self.layout.is_rejects || self.profile.header != Header::Found {
                        is_text?;
                        let missing = nearest.map(|(_, missing)| missing).unwrap_or_default();
                        return Err(lacks(&header, kind, &missing, self.needed(kind).len()).into_io());
                    }
                }
            }
        }
        let all = self.needed(kind);
        let name = &self.profile.name;
        let wrong = match nearest {
            Some((line, missing)) if missing.len() < all.len() => FileError::new(
                FileCode::ColumnMissing,
                format!(
                    "none of the first {BEFORE_HEADER} lines is the header that the profile {name} looks for; nearest is line {line}, \
                     which lacks the column(s) {}",
                    missing.join(", ")
                ),
            ),
            Some(_) if self.profile.header == Header::Found => FileError::new(
                FileCode::ColumnMissing,
                format!(
                    "none of the first {BEFORE_HEADER} lines has any of the columns that the profile {name} needs: {}",
                    all.join(", ")
                ),
            ),
            _ => lacks(&[], kind, &all, all.len()),
        };
        Err(wrong.into_io())
    }

    /// The required columns of a header.
    fn needed(&self, kind: Kind) -> Vec<String> {
        Mapping::of(&self.profile, kind, &[]).err().unwrap_or_default()
    }

    /// Reads the next row and returns its line number; `None` at the end. Other lines on the way are recorded.
    pub fn next_row(&mut self, record: &mut StringRecord) -> io::Result<Option<u64>> {
        while let Some(line) = self.next_record(record)? {
            if self.layout.is_rejects || !self.profile.has_other_lines() || !self.is_other(line, record)? {
                return Ok(Some(line));
            }
        }
        Ok(None)
    }

    /// Reads the next record that is not blank and returns the number of its first line.
    fn next_record(&mut self, record: &mut StringRecord) -> io::Result<Option<u64>> {
        while self.reader.read_record(record).map_err(of_csv)? {
            let (from, to) = (record.position().map_or(0, csv::Position::line), self.reader.position().line());
            let line = if to == from + 1 {
                from
            } else {
                // There are blank lines before the record, or line breaks in its cells. Every record ends with a line break.
                let breaks = record.as_slice().bytes().filter(|byte| *byte == b'\n').count() as u64;
                to.saturating_sub(breaks + 1)
            };
            let last = record.len().saturating_sub(1);
            self.bad_quotes = self.splitter().bad_quotes(line);
            if let Some(cell) = record.get(last).and_then(|cell| cell.strip_suffix('\r')) {
                if last == 0 && cell.is_empty() {
                    continue;
                }
                let cell = cell.to_owned();
                record.truncate(last);
                record.push_field(&cell);
            }
            if let Some(mark) = self.profile.cells.mark.as_deref().filter(|_| !self.layout.is_rejects) {
                join_unmarked(record, mark, self.layout.delimiter);
            }
            return Ok(Some(line));
        }
        Ok(None)
    }

    /// Whether the last record is not a row. If so, it has been recorded.
    fn is_other(&mut self, line: u64, record: &mut StringRecord) -> io::Result<bool> {
        let profile = self.profile.clone();
        if let Some(comment) = &profile.comment {
            let first = record.get(0).unwrap_or_default().trim_start();
            if first.starts_with(comment.as_str()) {
                self.audit.line(line, &self.joined(record));
                return Ok(true);
            }
        } else if profile.lines_are_read() {
            let text = self.joined(record);
            if self.audit.line(line, &text) {
                return Ok(true);
            }
        }
        let Some(heading) = &profile.totals_heading else { return Ok(false) };
        if !record.iter().any(|cell| profile.cells.clean(cell) == heading) {
            return Ok(false);
        }
        let heading = record.clone();
        if let Some(line) = self.next_record(record)? {
            self.audit.table(line, &heading, record);
        }
        self.ended = true;
        Ok(true)
    }

    /// A line as text, without the delimiters that a spreadsheet adds at its end.
    fn joined(&self, record: &StringRecord) -> String {
        let delimiter = char::from(self.layout.delimiter).to_string();
        let text = record.iter().collect::<Vec<_>>().join(&delimiter);
        text.trim_end_matches(|c: char| c.is_whitespace() || c == char::from(self.layout.delimiter)).to_owned()
    }

    /// Adds a row to the sums that are compared with the file's totals.
    pub fn count(&mut self, line: u64, record: &StringRecord) {
        self.audit.row(line, record, self.ended);
    }

    /// The number of cells per row; unknown if cells may contain delimiters without quotes.
    pub fn width(&self) -> Option<Width> {
        let Profile { cells, empty_ends, .. } = &*self.profile;
        let width = Width { header_line: self.header_line, cells: self.header.len(), or_more: *empty_ends };
        cells.mark.is_none().then_some(width)
    }

    fn splitter(&mut self) -> &mut Split {
        self.reader.get_mut().get_mut().0
    }

    /// Whether a row has as many cells as the header.
    pub fn is_full(&self, record: &StringRecord) -> bool {
        let wanted = self.header.len();
        record.len() == wanted
            || self.profile.empty_ends
                && record.len() > wanted
                && record.iter().skip(wanted).all(|cell| self.profile.cells.clean(cell).is_empty())
    }
}

/// The quote character.
fn quote_of(profile: &Profile, layout: Layout) -> Option<u8> {
    if layout.is_rejects { Some(b'"') } else { profile.quote }
}

/// The separators and the length limit for the rows of a file.
fn signs(delivery: &Delivery<'_>, layout: Layout) -> Signs {
    let quote = quote_of(delivery.profile, layout);
    Signs { longest: delivery.packing.limits.line, delimiter: layout.delimiter, quote }
}

/// The rows of a file as text, to check that they are complete.
pub fn split<R: Read>(text: R, delivery: &Delivery<'_>, layout: Layout, width: Option<Width>) -> RowSplitter<R> {
    RowSplitter::with_width(text, signs(delivery, layout), width)
}

/// A fault in a row's quotes, in words.
pub fn describe(fault: Fault) -> &'static str {
    match fault {
        Fault::QuoteWithin => "a quote in a cell that does not begin with a quote",
        Fault::TextAfter => "text after the quote that closes a cell",
        Fault::NotClosed => "a quote that is not closed",
    }
}

/// The encodings that a file can have, by its first bytes.
pub fn possible(delivery: &Delivery<'_>) -> io::Result<Vec<Script>> {
    let beginning = encoding::beginning(&mut container::open(delivery)?)?;
    let scripts = Script::possible(&beginning, &delivery.profile.encodings);
    if !scripts.is_empty() {
        return Ok(scripts);
    }
    let is_marked = matches!(beginning.as_slice(), [0xff, 0xfe, ..] | [0xfe, 0xff, ..]);
    let wrong = FileError::new(
        FileCode::Encoding,
        if is_marked {
            "the file begins with a UTF-16 byte order mark, but this feed is not UTF-16; save the file as UTF-8 and send it again"
        } else {
            "the file does not begin with a UTF-16 byte order mark, so its encoding is uncertain; save it as UTF-16 with a \
             byte order mark and send it again"
        },
    );
    Err(wrong.into_io())
}

/// In a row whose cells all begin with a mark, a cell without it belongs to the cell before, which contains a delimiter.
fn join_unmarked(record: &mut StringRecord, mark: &str, delimiter: u8) {
    let is_marked = |cell: &str| cell.trim_start().starts_with(mark);
    if !record.get(0).is_some_and(is_marked) || record.iter().all(is_marked) {
        return;
    }
    let mut cells: Vec<String> = Vec::with_capacity(record.len());
    for cell in record.iter() {
        match cells.last_mut() {
            // Spreadsheets add empty cells at the end of a row.
            Some(before) if !is_marked(cell) && !cell.is_empty() => {
                before.push(char::from(delimiter));
                before.push_str(cell);
            }
            _ => cells.push(cell.to_owned()),
        }
    }
    *record = StringRecord::from(cells);
}

/// Refuses a header line that is not text.
fn check_is_text(record: &StringRecord) -> Result<(), FileError> {
    if record.as_slice().contains('\0') {
        let why = "its header has NUL characters: the file is UTF-16 without a byte order mark, or not text; save it as UTF-8 and send it again";
        return Err(FileError::new(FileCode::Encoding, why));
    }
    // The CR before the line's LF was removed.
    if record.as_slice().split('\r').skip(1).any(|after| !after.starts_with('\n')) {
        let why = "its lines end with CR alone; save the file with LF or CR LF line ends and send it again";
        return Err(FileError::new(FileCode::Unreadable, why));
    }
    Ok(())
}

/// Refuses a header in which a used column occurs twice.
fn check_no_duplicate(mapping: &Mapping, kind: Kind, header: &[String], is_plain: bool) -> Result<(), FileError> {
    let known = |name: &str| kind.required().contains(&name) || kind.optional().contains(&name);
    let needed = |name: &str| if is_plain { known(name) } else { mapping.uses(name) };
    match header.iter().enumerate().find(|(i, name)| needed(name) && header[..*i].contains(name)) {
        Some((_, name)) => Err(FileError::new(
            FileCode::ColumnTwice,
            format!("the header has the column {name} more than once; remove one"),
        )),
        None => Ok(()),
    }
}

/// The error for a header without some of the `needed` columns. A line without any of them may be a row with names and
/// addresses, so it is not quoted.
fn lacks(header: &[String], kind: Kind, missing: &[String], needed: usize) -> FileError {
    let glued = |cell: &String| missing.iter().any(|name| cell.contains(name.split(' ').next().unwrap_or(name)));
    let found = if missing.len() < needed && kind == Kind::Customers {
        "the header has other columns".to_owned()
    } else if missing.len() < needed {
        let shown =
            header.join(", ").chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect::<String>();
        format!("the header has: {shown}")
    } else if header.iter().any(glued) {
        "they are not separate cells: the file uses another delimiter than the feed".to_owned()
    } else {
        "no line with any of these columns was found where the header should be".to_owned()
    };
    let message = format!("a file of {} needs the column(s) {}; {found}", kind.name(), missing.join(", "));
    FileError::new(FileCode::ColumnMissing, &message)
}

pub fn encoding_error(malformed: Malformed) -> FileError {
    let name = malformed.script.name();
    FileError::new(
        FileCode::Encoding,
        format!("byte {} is not {name}; save the file as {name} and send it again", malformed.at),
    )
}

/// The error before the CSV reader wrapped it. Malformed text becomes a [`FileError`].
fn of_csv(why: csv::Error) -> io::Error {
    let malformed = |malformed| encoding_error(malformed).into_io();
    match why.into_kind() {
        csv::ErrorKind::Io(why) => Malformed::of(&why).map_or(why, malformed),
        csv::ErrorKind::Utf8 { pos, .. } => {
            malformed(Malformed { at: pos.map_or(0, |pos| pos.byte()), script: Script::Utf8 })
        }
        other => io::Error::other(format!("{other:?}")),
    }
}
