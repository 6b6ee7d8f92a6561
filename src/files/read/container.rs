//! A file's text, whatever it is packed in: plain, gzip, zstd or zip, told apart by their first bytes and not by the
//! name. It streams, within limits that a hostile file runs into before memory or disk do; nothing is written to disk.

mod archive;

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use chrono_tz::Tz;
use flate2::read::MultiGzDecoder;

use super::distrust::Distrust;
use super::inbox::{Found, NamePattern};
use super::incoming::Kind;
use super::profile::Profile;
use super::source::{self, Seen};

/// A file may unpack to this much whatever its packed size, before the ratio counts.
const RATIO_FLOOR: u64 = 16 << 20;

/// The window that zstd files may ask for, as a power of two: 8 MiB, what its levels up to 19 use.
const ZSTD_WINDOW_LOG: u32 = 23;

/// What a feed allows its files to be packed in.
#[derive(Debug, Clone, Default)]
pub struct Packing {
    /// Which file of a zip is meant; without it, the only one in there.
    pub entry: Option<NamePattern>,
    pub limits: Limits,
}

/// How much a file may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of text for each packed byte.
    pub ratio: u64,
    /// Bytes of text.
    pub bytes: u64,
    /// Entries of a zip.
    pub entries: u64,
    /// Bytes of a row.
    pub line: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { ratio: 200, bytes: 16 << 30, entries: 1_000, line: 256 << 10 }
    }
}

/// A file that was found, with all that its feed says of how it is read.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    pub found: &'a Found,
    pub packing: &'a Packing,
    pub profile: &'a Arc<Profile>,
    pub kind: Kind,
    /// Of times without an offset.
    pub zone: Tz,
}

/// The text of a file, unpacked while it is read. An error of reading may carry a [`Distrust`], or tell that the file was
/// changed meanwhile.
pub struct Text {
    bytes: Box<dyn Read + Send>,
    /// The file itself, to see whether it is still the same.
    file: File,
    seen: Seen,
    limits: Limits,
    /// Its packed size, if it is packed.
    packed: Option<u64>,
    given: u64,
}

/// Opens the file that was found, past whatever it is packed in.
pub fn open(delivery: &Delivery<'_>) -> io::Result<Text> {
    let Delivery { found, packing, .. } = *delivery;
    let file = source::open(&found.path, &found.seen)?;
    let mut raw = file.try_clone()?;
    let limits = packing.limits;
    let (bytes, packed): (Box<dyn Read + Send>, _) = match form(&first_bytes(&mut raw)?)? {
        Form::Plain => {
            check_bytes(found.seen.bytes, &limits)?;
            (Box::new(raw), None)
        }
        Form::Gzip => (inner(MultiGzDecoder::new(BufReader::with_capacity(1 << 16, raw)))?, Some(found.seen.bytes)),
        Form::Zstd => {
            let mut decoder = zstd::Decoder::new(raw)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG)?;
            (inner(decoder)?, Some(found.seen.bytes))
        }
        Form::Zip => {
            let entry = archive::open(raw, packing)?;
            let packed = entry.packed;
            (inner(entry)?, Some(packed))
        }
    };
    Ok(Text { bytes, file, seen: found.seen, limits, packed, given: 0 })
}

impl Text {
    /// Whether the bytes are the file's own.
    pub fn is_plain(&self) -> bool {
        self.packed.is_none()
    }
}

impl Read for Text {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match self.bytes.read(buffer) {
            Ok(read) => read,
            Err(why) => {
                // What looks damaged may just have been written to.
                source::check(&self.file, &self.seen)?;
                return Err(damaged(why));
            }
        };
        if read == 0 {
            source::check(&self.file, &self.seen)?;
        }
        self.given += read as u64;
        if let Some(packed) = self.packed {
            check_bytes(self.given, &self.limits)?;
            let ratio = self.limits.ratio;
            if self.given > RATIO_FLOOR && self.given / ratio > packed {
                let message = format!(
                    "unpacks to more than {ratio} times its packed size; send it plain, or raise ratio in the feed's limits"
                );
                return Err(Distrust::new("FILE_TOO_LARGE", message).into_io());
            }
        }
        Ok(read)
    }
}

fn check_bytes(bytes: u64, limits: &Limits) -> io::Result<()> {
    if bytes <= limits.bytes {
        return Ok(());
    }
    let most = limits.bytes >> 20;
    let message =
        format!("holds more than {most} MiB of text; send it in parts, or raise file_mib in the feed's limits");
    Err(Distrust::new("FILE_TOO_LARGE", message).into_io())
}

/// What a file is packed in.
enum Form {
    Plain,
    Gzip,
    Zstd,
    Zip,
}

/// Enough to tell the forms apart: the header of a tar archive.
const FIRST: usize = 512;

/// Where the sum of that header stands in it, in octal digits.
const TAR_SUM: Range<usize> = 148..156;

/// First bytes of what is sent at times and cannot be read, with what it is.
const OTHERS: &[(&[u8], &str)] = &[
    (b"BZh91AY&SY", "a bzip2 file"),
    (b"\xfd7zXZ\0", "an xz file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel or Office file"),
    (b"%PDF-", "a PDF"),
];

fn form(first: &[u8]) -> io::Result<Form> {
    let tar = is_tar(first).then_some("a tar archive");
    if let Some(what) = tar.or(OTHERS.iter().find(|(magic, _)| first.starts_with(magic)).map(|(_, what)| *what)) {
        let message = format!("is {what}; send the rows as CSV, plain or packed with gzip, zstd or zip");
        return Err(Distrust::new("FILE_ARCHIVE", message).into_io());
    }
    Ok(match first {
        [0x1f, 0x8b, ..] => Form::Gzip,
        // The second is a frame to be skipped, with which a file may begin.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Form::Zstd,
        // A first entry, an archive without any, and one cut into pieces.
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] | [b'P', b'K', 7, 8, ..] => Form::Zip,
        _ => Form::Plain,
    })
}

/// Whether it is the header of a tar archive. Its other marks may stand in a text as well.
fn is_tar(first: &[u8]) -> bool {
    let Some(header) = first.get(..FIRST) else { return false };
    let told = std::str::from_utf8(&header[TAR_SUM]).unwrap_or_default();
    let told = u32::from_str_radix(told.trim_matches([' ', '\0']), 8);
    // The sum is taken with blanks in its own place.
    let bytes = header.iter().enumerate();
    told == Ok(bytes.map(|(at, byte)| if TAR_SUM.contains(&at) { 32 } else { u32::from(*byte) }).sum())
}

fn first_bytes(file: &mut File) -> io::Result<Vec<u8>> {
    let mut first = Vec::with_capacity(FIRST);
    file.by_ref().take(FIRST as u64).read_to_end(&mut first)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(first)
}

/// What is in a container, refused if it is one more.
fn inner(mut unpacked: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let mut first = Vec::with_capacity(FIRST);
    unpacked.by_ref().take(FIRST as u64).read_to_end(&mut first).map_err(damaged)?;
    match form(&first)? {
        Form::Plain => Ok(Box::new(io::Cursor::new(first).chain(unpacked))),
        Form::Gzip | Form::Zstd | Form::Zip => {
            let message = "is packed twice; pack the rows once, with gzip, zstd or zip";
            Err(Distrust::new("FILE_ARCHIVE", message).into_io())
        }
    }
}

/// An error of unpacking means that the file is damaged; one of the disk stays what it is.
fn damaged(why: io::Error) -> io::Error {
    if why.raw_os_error().is_some() || why.get_ref().is_some_and(|inner| inner.is::<Distrust>()) {
        return why;
    }
    let text = why.to_string();
    // So zstd says that the window is larger than we allow.
    if text.contains("too much memory") {
        let message = "is packed with a window of more than 8 MiB; pack it with zstd -19 or less, without --long";
        return Distrust::new("FILE_TOO_LARGE", message).into_io();
    }
    let message = format!("cannot be unpacked to its end: {text}; it is cut off or damaged, send it again");
    Distrust::new("FILE_UNREADABLE", message).into_io()
}
