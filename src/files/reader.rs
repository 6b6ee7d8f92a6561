//! Reading a file: first whether it can be trusted as a whole, then row by row, streamed.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use chrono_tz::Tz;
use sha2::{Digest, Sha256};

use super::cell::{Cells, Rejection};
use super::incoming::{self, Kind, Parsed};

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

/// Reads a file once from beginning to end, without keeping it: fingerprint, encoding, header.
pub fn examine(path: &Path, kind: Kind) -> io::Result<Examined> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut encoding = Utf8Check::default();
    let mut buffer = vec![0; 1 << 18];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        bytes += read as u64;
        hash.update(&buffer[..read]);
        encoding.take(&buffer[..read]);
    }
    let trust = match encoding.finish() {
        _ if bytes == 0 => Err(distrust("FILE_EMPTY", "the file is empty; even a day without rows has a header")),
        Err(at) => {
            Err(distrust("FILE_ENCODING", &format!("byte {at} is not UTF-8; save the file as UTF-8 and send it again")))
        }
        Ok(()) => read_header(path, kind).map(|_| ()),
    };
    let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Examined { sha256, bytes, trust })
}

fn distrust(code: &'static str, message: &str) -> Distrust {
    Distrust { code, message: message.to_owned() }
}

/// Whether bytes that come in pieces are UTF-8 as a whole.
#[derive(Default)]
struct Utf8Check {
    checked: u64,
    /// A character cut by the end of a piece.
    rest: Vec<u8>,
    wrong_at: Option<u64>,
}

impl Utf8Check {
    fn take(&mut self, piece: &[u8]) {
        if self.wrong_at.is_some() {
            return;
        }
        let joined;
        let bytes = if self.rest.is_empty() {
            piece
        } else {
            joined = [self.rest.as_slice(), piece].concat();
            &joined
        };
        match std::str::from_utf8(bytes) {
            Ok(_) => {
                self.checked += bytes.len() as u64;
                self.rest = Vec::new();
            }
            Err(wrong) => {
                let valid = wrong.valid_up_to();
                self.checked += valid as u64;
                match wrong.error_len() {
                    Some(_) => self.wrong_at = Some(self.checked),
                    None => self.rest = bytes[valid..].to_vec(),
                }
            }
        }
    }

    fn finish(self) -> Result<(), u64> {
        match self.wrong_at {
            Some(at) => Err(at),
            None if self.rest.is_empty() => Ok(()),
            None => Err(self.checked),
        }
    }
}

fn csv_reader(file: File) -> csv::Reader<BufReader<File>> {
    csv::ReaderBuilder::new().flexible(true).has_headers(true).from_reader(BufReader::with_capacity(1 << 18, file))
}

fn read_header(path: &Path, kind: Kind) -> Result<Vec<String>, Distrust> {
    let unreadable = |why: &dyn std::fmt::Display| distrust("FILE_UNREADABLE", &format!("cannot be read: {why}"));
    let file = File::open(path).map_err(|why| unreadable(&why))?;
    let mut reader = csv_reader(file);
    let header = reader.headers().map_err(|why| unreadable(&why))?;
    let header: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
    let missing: Vec<&str> =
        kind.required().iter().copied().filter(|required| !header.iter().any(|name| name == required)).collect();
    if !missing.is_empty() {
        let found: String = header.join(", ").chars().filter(|c| !c.is_control()).take(200).collect();
        let missing = missing.join(", ");
        let message = format!("a file of {} needs the column(s) {missing}; the header has: {found}", kind.name());
        return Err(distrust("FILE_COLUMN_MISSING", &message));
    }
    for column in kind.required() {
        if header.iter().filter(|name| name == column).count() > 1 {
            return Err(distrust("FILE_COLUMN_TWICE", &format!("the header has the column {column} more than once")));
        }
    }
    Ok(header)
}

/// A file's rows, one after the other.
pub struct Rows {
    reader: csv::Reader<BufReader<File>>,
    header: Vec<String>,
    kind: Kind,
    zone: Tz,
}

/// One row: where it begins, its cells as they came, and what they say.
pub struct Line {
    pub number: i64,
    pub cells: csv::StringRecord,
    pub parsed: Result<Parsed, Rejection>,
}

impl Rows {
    /// Opens an examined file, past all lines up to `after`.
    pub fn open(path: &Path, kind: Kind, zone: Tz, after: i64) -> io::Result<Rows> {
        let header = read_header(path, kind).map_err(|distrust| io::Error::other(distrust.message))?;
        let mut rows = Rows { reader: csv_reader(File::open(path)?), header, kind, zone };
        if after > 0 {
            let mut record = csv::ByteRecord::new();
            // The line of a record is known once it is read; stop at the last that was done.
            while rows.reader.read_byte_record(&mut record).map_err(io::Error::other)? {
                if line_of(record.position()) >= after {
                    break;
                }
            }
        }
        Ok(rows)
    }

    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// The next rows, at most `limit`.
    pub fn take(&mut self, limit: usize) -> io::Result<Vec<Line>> {
        let mut lines = Vec::with_capacity(limit.min(1 << 14));
        let mut record = csv::StringRecord::new();
        while lines.len() < limit && self.reader.read_record(&mut record).map_err(io::Error::other)? {
            let number = line_of(record.position());
            let parsed = if record.len() == self.header.len() {
                incoming::parse(self.kind, &Cells { header: &self.header, cells: &record, zone: self.zone })
            } else {
                let (found, expected) = (record.len(), self.header.len());
                let message = format!("the row has {found} columns, the header {expected}; check commas and quotes");
                Err(Rejection::new("COLUMN_COUNT", message))
            };
            lines.push(Line { number, cells: record.clone(), parsed });
        }
        Ok(lines)
    }
}

fn line_of(position: Option<&csv::Position>) -> i64 {
    position.map_or(0, |position| i64::try_from(position.line()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examined(bytes: &[u8]) -> Result<(), Distrust> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("payments.csv");
        std::fs::write(&path, bytes).unwrap();
        examine(&path, Kind::Payments).unwrap().trust
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

    #[test]
    fn an_encoding_is_checked_across_pieces() {
        let text = "先用后付".as_bytes();
        for cut in 0..=text.len() {
            let mut check = Utf8Check::default();
            check.take(&text[..cut]);
            check.take(&text[cut..]);
            assert_eq!(check.finish(), Ok(()), "cut at {cut}");
        }
    }
}
