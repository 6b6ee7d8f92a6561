//! Unpacks a file: plain, gzip, zstd or zip, recognised by its first bytes and not by its name. Unpacking streams within
//! limits, so that a hostile file exhausts neither memory nor disk; nothing is written to disk.

mod archive;

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use chrono_tz::Tz;
use flate2::read::MultiGzDecoder;

use super::file_error::FileError;
use super::source::{self, Seen};
use crate::domain::intake::code::FileCode;
use crate::files::inbox::{Found, NamePattern};
use crate::files::profile::Profile;
use crate::files::rows::Kind;

/// The ratio limit applies only beyond this many unpacked bytes.
const RATIO_FLOOR: u64 = 16 << 20;

/// The largest zstd window as a power of two: 8 MiB, enough for compression levels up to 19.
const ZSTD_WINDOW_LOG: u32 = 23;

/// How a feed's files may be packed.
#[derive(Debug, Clone, Default)]
pub struct Packing {
    /// The file to read in a zip; `None` if the zip must hold one file only.
    pub entry: Option<NamePattern>,
    pub limits: Limits,
}

/// Size limits of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Unpacked bytes per packed byte.
    pub ratio: u64,
    /// Unpacked bytes.
    pub bytes: u64,
    /// Entries in a zip.
    pub entries: u64,
    /// Bytes in a row.
    pub line: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { ratio: 200, bytes: 16 << 30, entries: 1_000, line: 256 << 10 }
    }
}

/// A file that was found, with its feed's settings for reading it.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    pub found: &'a Found,
    pub packing: &'a Packing,
    pub profile: &'a Arc<Profile>,
    pub kind: Kind,
    /// The time zone of times without an offset.
    pub zone: Tz,
}

/// The bytes of a file, unpacked while they are read. An error of reading can contain a [`FileError`], or report that the
/// file has changed.
pub struct Text {
    bytes: Box<dyn Read + Send>,
    /// The file itself, to check that it is unchanged.
    file: File,
    seen: Seen,
    limits: Limits,
    /// The packed size, if the file is packed.
    packed: Option<u64>,
    given: u64,
}

/// Opens the file that was found and begins to unpack it.
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
    /// Whether the file is not packed.
    pub fn is_plain(&self) -> bool {
        self.packed.is_none()
    }
}

impl Read for Text {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match self.bytes.read(buffer) {
            Ok(read) => read,
            Err(why) => {
                // A file that looks damaged may have been written to.
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
                return Err(FileError::new(FileCode::TooLarge, message).into_io());
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
    Err(FileError::new(FileCode::TooLarge, message).into_io())
}

/// How a file is packed.
enum Form {
    Plain,
    Gzip,
    Zstd,
    Zip,
}

/// The bytes needed to recognise every form: a tar header is the longest.
const FIRST: usize = 512;

/// The position of the checksum in a tar header, in octal digits.
const TAR_SUM: Range<usize> = 148..156;

/// The first bytes of formats that are sent by mistake, with their names.
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
        return Err(FileError::new(FileCode::Archive, message).into_io());
    }
    Ok(match first {
        [0x1f, 0x8b, ..] => Form::Gzip,
        // The second pattern is a skippable frame, which may come first.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Form::Zstd,
        // A first entry, an empty archive, and a split archive.
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] | [b'P', b'K', 7, 8, ..] => Form::Zip,
        _ => Form::Plain,
    })
}

/// Whether the bytes are a tar header. Only the checksum decides, because text can contain the other marks.
fn is_tar(first: &[u8]) -> bool {
    let Some(header) = first.get(..FIRST) else { return false };
    let stated = std::str::from_utf8(&header[TAR_SUM]).unwrap_or_default();
    let stated = u32::from_str_radix(stated.trim_matches([' ', '\0']), 8);
    // The checksum counts its own bytes as blanks.
    let bytes = header.iter().enumerate();
    stated == Ok(bytes.map(|(at, byte)| if TAR_SUM.contains(&at) { 32 } else { u32::from(*byte) }).sum())
}

fn first_bytes(file: &mut File) -> io::Result<Vec<u8>> {
    let mut first = Vec::with_capacity(FIRST);
    file.by_ref().take(FIRST as u64).read_to_end(&mut first)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(first)
}

/// The unpacked bytes, refused if they are packed again.
fn inner(mut unpacked: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let mut first = Vec::with_capacity(FIRST);
    unpacked.by_ref().take(FIRST as u64).read_to_end(&mut first).map_err(damaged)?;
    match form(&first)? {
        Form::Plain => Ok(Box::new(io::Cursor::new(first).chain(unpacked))),
        Form::Gzip | Form::Zstd | Form::Zip => {
            let message = "is packed twice; pack the rows once, with gzip, zstd or zip";
            Err(FileError::new(FileCode::Archive, message).into_io())
        }
    }
}

/// Turns an error of unpacking into a [`FileError`]. Errors from the disk are passed on.
fn damaged(why: io::Error) -> io::Error {
    if why.raw_os_error().is_some() || why.get_ref().is_some_and(|inner| inner.is::<FileError>()) {
        return why;
    }
    let text = why.to_string();
    // zstd says this if the window exceeds the limit.
    if text.contains("too much memory") {
        let message = "is packed with a window of more than 8 MiB; pack it with zstd -19 or less, without --long";
        return FileError::new(FileCode::TooLarge, message).into_io();
    }
    let message = format!("cannot be unpacked to its end: {text}; it is truncated or damaged, send it again");
    FileError::new(FileCode::Unreadable, message).into_io()
}
