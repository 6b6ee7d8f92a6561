//! Reading a file: first whether it can be trusted as a whole, then row by row, streamed.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use chrono_tz::Tz;
use csv::StringRecord;
use sha2::{Digest, Sha256};

use super::cell::{AsSent, Cells, Rejection};
use super::encoding::{self, Malformed, Script};
use super::incoming::{self, Kind, Parsed};
use super::profile::Profile;
use super::profile::mapping;
use super::table::{self, Layout, Table, bytes_of};

/// Why none of a file's rows count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distrust {
    pub code: &'static str,
    pub message: String,
}

/// A file's fingerprint, and whether it can be trusted.
#[derive(Debug)]
pub struct Examined {
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    pub bytes: u64,
    pub trust: Result<(), Distrust>,
}

/// Reads a file from beginning to end, without keeping it: fingerprint, encoding, header, and what it says of itself.
pub fn examine(path: &Path, kind: Kind, profile: &Arc<Profile>) -> io::Result<Examined> {
    let opened = Table::open(path, profile, kind);
    let script = match &opened {
        Ok(table) => Some(table.layout.script),
        // Where only one encoding is possible, that is looked at first: a header in another cannot be right.
        Err(_) => table::possible(path, profile).ok().filter(|scripts| scripts.len() == 1).map(|scripts| scripts[0]),
    };
    let mut bytes = Hashed { bytes: bytes_of(path)?, hash: Sha256::new(), count: 0 };
    let malformed = script.map_or(Ok(None), |script| check(&mut bytes, script))?;
    io::copy(&mut bytes, &mut io::sink())?;
    let trust = match (malformed, opened) {
        _ if bytes.count == 0 => Err(distrust("FILE_EMPTY", "the file is empty; even a day without rows has a header")),
        (Some(malformed), _) => Err(table::malformed_in_words(malformed)),
        (None, Err(distrust)) => Err(distrust),
        (None, Ok(table)) => is_whole(table, profile)?,
    };
    let sha256 = bytes.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Examined { sha256, bytes: bytes.count, trust })
}

pub fn distrust(code: &'static str, message: &str) -> Distrust {
    Distrust { code, message: message.to_owned() }
}

/// Bytes that are counted and hashed on their way.
struct Hashed<R> {
    bytes: R,
    hash: Sha256,
    count: u64,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.bytes.read(into)?;
        self.hash.update(&into[..length]);
        self.count += length as u64;
        Ok(length)
    }
}

/// Whether bytes are text throughout, and where not.
fn check(bytes: impl Read, script: Script) -> io::Result<Option<Malformed>> {
    let mut text = encoding::checked(bytes, script)?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match text.read(&mut buffer) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(why) => return Malformed::of(&why).map(Some).ok_or(why),
        }
    }
}

/// Whether a file holds what it says. A mended rest of one says nothing of itself.
fn is_whole(mut table: Table, profile: &Profile) -> io::Result<Result<(), Distrust>> {
    if !profile.must_end() || table.layout.is_rejects {
        return Ok(Ok(()));
    }
    let mut record = StringRecord::new();
    while let Some(line) = table.next_row(&mut record)? {
        table.count(line, &record);
    }
    Ok(table.audit.verdict())
}

/// A file's rows, one after the other.
pub struct Rows {
    table: Table,
    kind: Kind,
    zone: Tz,
    /// Memory that is used again for each row.
    read: mapping::Read,
}

/// One row: where it begins, its cells as they came, and what they say.
pub struct Line {
    pub number: i64,
    pub cells: StringRecord,
    /// Its canonical cells, where they are others.
    read: Option<StringRecord>,
    pub parsed: Result<Parsed, Rejection>,
}

impl Line {
    /// The cells under the header that rows are read by.
    pub fn canonical(&self) -> &StringRecord {
        self.read.as_ref().unwrap_or(&self.cells)
    }
}

impl Rows {
    /// Opens an examined file, past all lines up to `after`.
    pub fn open(path: &Path, kind: Kind, profile: &Arc<Profile>, zone: Tz, after: i64) -> io::Result<Rows> {
        let table = Table::open(path, profile, kind).map_err(|distrust| io::Error::other(distrust.message))?;
        let mut rows = Rows { table, kind, zone, read: mapping::Read::default() };
        if after > 0 {
            let mut record = StringRecord::new();
            // The line of a record is known once it is read; stop at the last that was done.
            while let Some(line) = rows.table.next_row(&mut record)? {
                if number(line) >= after {
                    break;
                }
            }
        }
        Ok(rows)
    }

    /// The names under which rows are read: the file's own, or canonical ones.
    pub fn header(&self) -> &[String] {
        self.table.mapping.as_ref().map_or(&self.table.header, |mapping| mapping.names())
    }

    /// The file's own names.
    pub fn header_as_sent(&self) -> &[String] {
        &self.table.header
    }

    pub fn layout(&self) -> Layout {
        self.table.layout
    }

    /// The next rows, at most `limit`.
    pub fn take(&mut self, limit: usize) -> io::Result<Vec<Line>> {
        let mut lines = Vec::with_capacity(limit.min(1 << 14));
        let mut record = StringRecord::new();
        while lines.len() < limit
            && let Some(line) = self.table.next_row(&mut record)?
        {
            let (parsed, read) = self.parse(&record);
            lines.push(Line { number: number(line), cells: record.clone(), read, parsed });
        }
        Ok(lines)
    }

    fn parse(&mut self, record: &StringRecord) -> (Result<Parsed, Rejection>, Option<StringRecord>) {
        let Table { header, mapping, .. } = &self.table;
        let count = if self.table.is_full(record) {
            Ok(())
        } else {
            let (found, expected) = (record.len(), header.len());
            let message = format!("the row has {found} columns, the header {expected}; check commas and quotes");
            Err(Rejection::new("COLUMN_COUNT", message))
        };
        let Some(mapping) = mapping else {
            let cells = Cells { header, cells: record, zone: self.zone, as_sent: None };
            return (count.and_then(|()| incoming::parse(self.kind, &cells)), None);
        };
        let read = mapping.read(record, &mut self.read);
        let as_sent = Some(AsSent { header, cells: record, from: &self.read.from });
        let cells = Cells { header: mapping.names(), cells: &self.read.cells, zone: self.zone, as_sent };
        let parsed = count.and(read).and_then(|()| incoming::parse(self.kind, &cells));
        (parsed, Some(self.read.cells.clone()))
    }
}

fn number(line: u64) -> i64 {
    i64::try_from(line).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examined(bytes: &[u8]) -> Result<(), Distrust> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("payments.csv");
        std::fs::write(&path, bytes).unwrap();
        examine(&path, Kind::Payments, &Arc::new(Profile::canonical())).unwrap().trust
    }

    #[test]
    fn a_file_is_trusted_as_a_whole_or_not_at_all() {
        let good = "payment_id,order_id,amount,currency,paid_at\nP1,O1,1.00,CNY,2026-03-01\n";
        assert_eq!(examined(good.as_bytes()), Ok(()));
        assert_eq!(examined(format!("\u{feff}{good}").as_bytes()), Ok(()));
        let code = |bytes: &[u8]| examined(bytes).unwrap_err().code;
        assert_eq!(code(b""), "FILE_EMPTY");
        assert_eq!(code(b"payment_id,order_id,amount,paid_at\n"), "FILE_COLUMN_MISSING");
        assert_eq!(code(b"payment_id,order_id,amount,amount,currency,paid_at\n"), "FILE_COLUMN_TWICE");
        assert_eq!(code(&[good.as_bytes(), b"P2,\xd6\xd0,1.00,CNY,2026-03-01\n"].concat()), "FILE_ENCODING");
        assert_eq!(code(&[good.as_bytes(), b"P2,\xe4\xb8"].concat()), "FILE_ENCODING");
    }
}
