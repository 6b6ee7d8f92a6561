//! Reads a file: first checks it as a whole, then streams its rows.

use std::io::{self, Read};

use chrono_tz::Tz;
use csv::StringRecord;

use super::container::{self, Delivery};
use super::encoding::{self, Malformed};
use super::file_error::FileError;
use super::row_splitter::{BadQuotes, Width};
use super::source;
use super::table::{self, Layout, Table};
use crate::domain::intake::code::{FileCode, RowCode};
use crate::domain::words::count;
use crate::files::profile::mapping;
use crate::files::rows::cell::{AsSent, Cells, Rejection};
use crate::files::rows::{self, Kind, Parsed};

/// A file's fingerprint, and the result of the check of the whole file.
#[derive(Debug)]
pub struct Examined {
    /// SHA-256 of the bytes, in hexadecimal.
    pub sha256: String,
    pub trust: Result<(), FileError>,
}

/// Reads a file to its end without keeping it, and checks its encoding, header and control totals. The fingerprint covers
/// the bytes as they came, packed or not.
pub fn examine(delivery: &Delivery<'_>) -> io::Result<Examined> {
    let found = delivery.found;
    let sha256 = source::fingerprint(&mut source::open(&found.path, &found.seen)?)?;
    let trust = match is_whole(delivery) {
        Ok(()) => Ok(()),
        Err(why) => Err(FileError::of(why)?),
    };
    Ok(Examined { sha256, trust })
}

/// Checks that a file can be read to its end and matches its control totals.
fn is_whole(delivery: &Delivery<'_>) -> io::Result<()> {
    if delivery.found.seen.bytes == 0 || container::open(delivery)?.read(&mut [0])? == 0 {
        let empty = "the file is empty; a file without rows still needs a header";
        return Err(FileError::new(FileCode::Empty, empty).into_io());
    }
    let opened = Table::open(delivery);
    let layout = match &opened {
        Ok(table) => Some((table.layout, table.width())),
        // If only one encoding is possible, check the encoding first: a header in another encoding cannot be found.
        Err(_) => match (table::possible(delivery).as_deref(), delivery.profile.delimiters.first()) {
            (Ok(&[script]), Some(&delimiter)) => Some((Layout { script, delimiter, is_rejects: false }, None)),
            _ => None,
        },
    };
    if let Some((layout, width)) = layout {
        check(delivery, layout, width)?;
    }
    let mut table = opened?;
    // A corrected rejects file has no control totals.
    if !delivery.profile.must_end() || table.layout.is_rejects {
        return Ok(());
    }
    let mut record = StringRecord::new();
    while let Some(line) = table.next_row(&mut record)? {
        table.count(line, &record);
    }
    table.audit.verdict().map_err(FileError::into_io)
}

/// Checks that all bytes are text, in rows no longer than the limit.
fn check(delivery: &Delivery<'_>, layout: Layout, width: Option<Width>) -> io::Result<()> {
    let text = encoding::checked(container::open(delivery)?, layout.script)?;
    let mut text = table::split(text, delivery, layout, width);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match text.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(why) => {
                let malformed = |malformed| table::encoding_error(malformed).into_io();
                return Err(Malformed::of(&why).map_or(why, malformed));
            }
        }
    }
}

/// The rows of a file, one after the other.
pub struct Rows {
    table: Table,
    kind: Kind,
    zone: Tz,
    /// Reused for each row.
    read: mapping::Read,
    /// Records of finished rows, to be reused.
    spare: Vec<StringRecord>,
    finished: bool,
}

/// The longest row whose record is reused. Bounds memory.
const KEPT: usize = 4 << 10;

/// The most text handed out at once, however few its rows. Bounds memory.
const MOST_TEXT: usize = 32 << 20;

/// A row: its line number, its cells as they came, and the typed row.
pub struct Line {
    pub number: i64,
    pub cells: StringRecord,
    /// The canonical cells, if they differ from `cells`.
    read: Option<StringRecord>,
    pub parsed: Result<Parsed, Rejection>,
}

impl Line {
    /// The cells that belong to [`Rows::header`].
    pub fn canonical(&self) -> &StringRecord {
        self.read.as_ref().unwrap_or(&self.cells)
    }
}

impl Rows {
    /// Opens an examined file and skips all lines up to `after`.
    pub fn open(delivery: &Delivery<'_>, after: i64) -> io::Result<Rows> {
        let Delivery { kind, zone, .. } = *delivery;
        let table = Table::open(delivery)?;
        let mut rows = Rows { table, kind, zone, read: mapping::Read::default(), spare: Vec::new(), finished: false };
        if after > 0 {
            let mut record = StringRecord::new();
            // A record's line is known only once the record is read: stop at the last one to skip.
            while let Some(line) = rows.table.next_row(&mut record)? {
                if number(line) >= after {
                    break;
                }
            }
        }
        Ok(rows)
    }

    /// The column names of [`Line::canonical`]: the file's own, or canonical names.
    pub fn header(&self) -> &[String] {
        self.table.mapping.as_ref().map_or(&self.table.header, |mapping| mapping.names())
    }

    /// The file's own column names.
    pub fn header_as_sent(&self) -> &[String] {
        &self.table.header
    }

    pub fn layout(&self) -> Layout {
        self.table.layout
    }

    /// Whether the last row has been handed out.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// The next rows, at most `limit`, and fewer if they are long.
    pub fn take(&mut self, limit: usize) -> io::Result<Vec<Line>> {
        let mut lines = Vec::with_capacity(limit.min(1 << 14));
        let mut text = 0;
        while lines.len() < limit && text < MOST_TEXT {
            let mut cells = self.spare.pop().unwrap_or_default();
            let Some(line) = self.table.next_row(&mut cells)? else {
                self.finished = true;
                break;
            };
            text += cells.as_slice().len();
            let (parsed, read) = self.parse(&cells);
            lines.push(Line { number: number(line), cells, read, parsed });
        }
        Ok(lines)
    }

    /// Takes back finished rows. The next rows reuse their records, which is faster than allocating row by row.
    pub fn give_back(&mut self, lines: Vec<Line>) {
        let records = lines.into_iter().map(|line| line.cells);
        self.spare.extend(records.filter(|cells| cells.as_slice().len() <= KEPT));
    }

    fn parse(&mut self, record: &StringRecord) -> (Result<Parsed, Rejection>, Option<StringRecord>) {
        let Table { header, mapping, .. } = &self.table;
        if let Some(bad) = self.table.bad_quotes {
            let known = cells_before_quotes(record.get(0).unwrap_or_default(), self.table.layout.delimiter);
            let read = match mapping {
                Some(mapping) => {
                    mapping.read(&known, &mut self.read).ok();
                    self.read.cells.clone()
                }
                None => known,
            };
            return (Err(bad_quotes(bad, header)), Some(read));
        }
        let count = if self.table.is_full(record) {
            Ok(())
        } else {
            let (found, expected) = (record.len(), header.len());
            let message =
                format!("the row has {}, the header {expected}; check commas and quotes", count(found, "column"));
            Err(Rejection::new(RowCode::ColumnCount, message))
        };
        let Some(mapping) = mapping else {
            let cells = Cells { header, cells: record, zone: self.zone, as_sent: None };
            return (count.and_then(|()| rows::parse(self.kind, &cells)), None);
        };
        let read = mapping.read(record, &mut self.read);
        let as_sent = Some(AsSent { header, cells: record, from: &self.read.from });
        let cells = Cells { header: mapping.names(), cells: &self.read.cells, zone: self.zone, as_sent };
        let parsed = count.and(read).and_then(|()| rows::parse(self.kind, &cells));
        (parsed, Some(self.read.cells.clone()))
    }
}

/// The cells of a line before its first quote. Only these cells are certain.
fn cells_before_quotes(line: &str, delimiter: u8) -> StringRecord {
    let before = line.split(['"', '\'']).next().unwrap_or_default();
    let mut cells: StringRecord = before.split(char::from(delimiter)).collect();
    cells.truncate(cells.len().saturating_sub(1));
    cells
}

/// The rejection of a row with wrong quotes. Its content is uncertain and therefore not quoted.
fn bad_quotes(BadQuotes { fault, cell, .. }: BadQuotes, header: &[String]) -> Rejection {
    let column = header.get(cell).map_or_else(|| format!("cell {}", cell + 1), |name| format!("column {name}"));
    let what = table::describe(fault);
    let how = "put the whole cell in quotes and write each quote in it twice, or leave the quotes out";
    Rejection::new(RowCode::BadQuotes, format!("{column}: {what}; {how}"))
}

fn number(line: u64) -> i64 {
    i64::try_from(line).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::container::Packing;
    use super::*;
    use crate::files::inbox::Found;
    use crate::files::profile::Profile;

    fn examined(bytes: &[u8]) -> Result<(), FileError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("payments.csv");
        std::fs::write(&path, bytes).unwrap();
        let seen = source::Seen::of(&std::fs::metadata(&path).unwrap());
        let found = Found { path, name: "payments.csv".to_owned(), date: None, number: None, seen };
        let (packing, profile) = (Packing::default(), Arc::new(Profile::canonical()));
        let zone = chrono_tz::Asia::Shanghai;
        let delivery = Delivery { found: &found, packing: &packing, profile: &profile, kind: Kind::Payments, zone };
        examine(&delivery).unwrap().trust
    }

    #[test]
    fn a_file_is_accepted_or_refused_as_a_whole() {
        let good = "payment_id,order_id,amount,currency,paid_at\nP1,O1,1.00,CNY,2026-03-01\n";
        assert_eq!(examined(good.as_bytes()), Ok(()));
        assert_eq!(examined(format!("\u{feff}{good}").as_bytes()), Ok(()));
        let code = |bytes: &[u8]| examined(bytes).unwrap_err().code;
        assert_eq!(code(b""), FileCode::Empty);
        assert_eq!(code(b"payment_id,order_id,amount,paid_at\n"), FileCode::ColumnMissing);
        assert_eq!(code(b"payment_id,order_id,amount,amount,currency,paid_at\n"), FileCode::ColumnTwice);
        assert_eq!(code(&[good.as_bytes(), b"P2,\xd6\xd0,1.00,CNY,2026-03-01\n"].concat()), FileCode::Encoding);
        assert_eq!(code(&[good.as_bytes(), b"P2,\xe4\xb8"].concat()), FileCode::Encoding);
        assert_eq!(code(good.replacen("paid_at", "paid_at,channel,channel", 1).as_bytes()), FileCode::ColumnTwice);
        let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(code(&utf16), FileCode::Encoding);
    }

    #[test]
    fn lines_that_end_with_cr_alone_are_refused() {
        let good = "payment_id,order_id,amount,currency,paid_at,channel\nP1,O1,1.00,CNY,2026-03-01,alipay\n";
        assert_eq!(examined(good.replace('\n', "\r\n").as_bytes()), Ok(()));
        let error = examined(good.replace('\n', "\r").as_bytes()).unwrap_err();
        assert_eq!(error.code, FileCode::Unreadable);
        assert!(error.message.contains("its lines end with CR alone"), "{error}");
    }

    #[test]
    fn a_first_line_that_is_not_a_header_is_not_quoted() {
        let why = |text: &str| examined(text.as_bytes()).unwrap_err().message;
        let person = why("P1,O1,Zhang San,zhang.san@example.com,10.00\n");
        assert!(person.ends_with("no line with any of these columns was found where the header should be"), "{person}");
        let glued = why("payment_id;order_id;amount;currency;paid_at\n");
        assert!(glued.ends_with("the file uses another delimiter than the feed"), "{glued}");
        let other = why("payment_id,order_id,sum,currency,paid_at\n");
        assert!(other.contains("needs the column(s) amount; the header has: payment_id, order_id, sum"), "{other}");
    }
}
