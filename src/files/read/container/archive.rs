//! Finds the file with the rows in a zip. Entry names are compared, never used as paths.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use flate2::Crc;
use flate2::read::DeflateDecoder;
use zip::read::{ArchiveOffset, Config, ZipFileEntry};
use zip::result::ZipError;
use zip::unstable::read::ZipIterable;
use zip::{CompressionMethod, ZipReadOptions};

use super::Packing;
use crate::domain::intake::code::FileCode;
use crate::files::read::file_error::FileError;

/// The unpacked bytes of an entry. The checksum is verified at the end.
pub struct Entry {
    bytes: Box<dyn Read + Send>,
    /// The packed size.
    pub packed: u64,
    size: u64,
    crc: u32,
    seen: Crc,
    given: u64,
}

/// Finds and opens the entry that the feed takes.
pub fn open(file: File, packing: &Packing) -> io::Result<Entry> {
    let mut file = BufReader::with_capacity(1 << 16, file);
    check_ends(&mut file)?;
    // The archive must begin at the start of the file.
    let config = Config { archive_offset: ArchiveOffset::Known(0) };
    let mut archive = ZipIterable::try_new(&mut file, config).map_err(broken)?;
    let most = packing.limits.entries;
    if archive.len() as u64 > most {
        let message = format!("has {} entries, more than {most}; send a zip with one file in it", archive.len());
        return Err(refused(message));
    }
    let mut names = HashSet::new();
    let mut candidates = Vec::new();
    for entry in archive.files().map_err(broken)? {
        let entry = entry.map_err(broken)?;
        let name = name(entry.name_raw());
        check_name(&name, &entry)?;
        if !names.insert(name.clone()) {
            return Err(refused(format!("has two entries named {}; send each once", shown(&name))));
        }
        if !is_folder(&name) && !is_metadata(&name) {
            candidates.push((name, entry));
        }
    }
    let (name, entry) = chosen(candidates, packing)?;
    if entry.encrypted() {
        return Err(refused(format!("the entry {} is encrypted; send it without a password", shown(&name))));
    }
    if !matches!(entry.compression(), CompressionMethod::Stored | CompressionMethod::Deflated) {
        let message = format!("the entry {} is packed with {:?}; use deflate", shown(&name), entry.compression());
        return Err(refused(message));
    }
    let (packed, size, crc, compression) = (entry.compressed_size(), entry.size(), entry.crc32(), entry.compression());
    let start = entry.with_reader(&mut file, ZipReadOptions::default()).map_err(broken)?.data_start();
    let start = start.ok_or_else(|| broken(ZipError::FileNotFound))?;
    file.seek(SeekFrom::Start(start))?;
    let raw = file.take(packed);
    let bytes: Box<dyn Read + Send> = match compression {
        CompressionMethod::Deflated => Box::new(DeflateDecoder::new(raw)),
        _ => Box::new(raw),
    };
    Ok(Entry { bytes, packed, size, crc, seen: Crc::new(), given: 0 })
}

impl Read for Entry {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(buffer)?;
        self.seen.update(&buffer[..read]);
        self.given += read as u64;
        let over = self.given > self.size;
        if over || read == 0 && !buffer.is_empty() && (self.given, self.seen.sum()) != (self.size, self.crc) {
            let why =
                if self.given == self.size { "its checksum is wrong" } else { "its size differs from the stated size" };
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Ok(read)
    }
}

/// The signature of a zip's end record, and the record's length without the optional comment.
const END: &[u8] = b"PK\x05\x06";
const END_LENGTH: usize = 22;

/// Refuses a zip that does not begin and end exactly where the file does: there is something before or after it, such as
/// another zip. Of two joined zips, a program sees the first or the second, never both.
fn check_ends(file: &mut (impl Read + Seek)) -> io::Result<()> {
    let length = file.seek(SeekFrom::End(0))?;
    let from = length.saturating_sub(END_LENGTH as u64 + u64::from(u16::MAX));
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let number = |at: usize, bytes: usize| tail[at..at + bytes].iter().rev().fold(0, |n, b| n << 8 | u64::from(*b));
    let length = tail.len() as u64;
    let ends = |at: usize| tail[at..].starts_with(END).then(|| (at + END_LENGTH) as u64 + number(at + 20, 2));
    let places = 0..(tail.len() + 1).saturating_sub(END_LENGTH);
    let Some(end) = places.clone().rev().find(|at| ends(*at) == Some(length)) else {
        if places.filter_map(ends).any(|end| end < length) {
            return Err(refused("has something after its end, such as another file; send the zip alone".to_owned()));
        }
        let message = "is not a complete zip file: its end is missing; it is truncated or damaged, send it again";
        return Err(FileError::new(FileCode::Unreadable, message).into_io());
    };
    let (size, start) = (number(end + 12, 4), number(end + 16, 4));
    // Archives of more than 4 GiB have these values elsewhere.
    let is_large = [size, start].contains(&u64::from(u32::MAX));
    if is_large || start + size == from + end as u64 {
        return Ok(());
    }
    Err(refused(
        "consists of several joined zip files, or has something before the zip; send each zip alone".to_owned(),
    ))
}

type Candidate = (String, ZipFileEntry<'static>);

/// The entry that matches the feed's pattern, or the only entry.
fn chosen(mut candidates: Vec<Candidate>, packing: &Packing) -> io::Result<Candidate> {
    let there: Vec<String> = candidates.iter().take(10).map(|(name, _)| shown(name)).collect();
    let there = if there.is_empty() { "no file".to_owned() } else { there.join(", ") };
    if candidates.iter().any(|(name, _)| name == "xl/workbook.xml") {
        return Err(refused("is an Excel workbook; save the sheet as CSV and send that".to_owned()));
    }
    if let Some(pattern) = &packing.entry {
        candidates.retain(|(name, _)| pattern.matches(base(name)).is_some());
    }
    match (candidates.pop(), candidates.is_empty(), &packing.entry) {
        (Some(only), true, _) => Ok(only),
        (_, _, Some(pattern)) => {
            let pattern = pattern.text();
            Err(refused(format!("must contain one file that matches the feed's entry {pattern}; it contains {there}")))
        }
        (None, _, None) => Err(refused("contains no file; send a zip with the file that holds the rows".to_owned())),
        (Some(_), _, None) => {
            Err(refused(format!("must contain one file, or the feed must name one with entry; it contains {there}")))
        }
    }
}

fn check_name(name: &str, entry: &ZipFileEntry<'_>) -> io::Result<()> {
    let mut parts = name.split('/');
    let drive = name.as_bytes().get(1) == Some(&b':');
    let wrong = if name.chars().any(char::is_control) {
        "has control characters in its name"
    } else if parts.any(|part| part == "..") || name.starts_with('/') || drive {
        "has a name that leads out of the archive"
    } else if name.is_empty() {
        "has no name"
    } else if entry.is_symlink() {
        "is a symbolic link"
    } else {
        return Ok(());
    };
    Err(refused(format!("the entry {} {wrong}; send a zip with plain files", shown(name))))
}

/// An entry's name: UTF-8, whether flagged or not; else GBK, as Chinese Windows writes it; else escaped bytes.
fn name(raw: &[u8]) -> String {
    let name = match std::str::from_utf8(raw) {
        Ok(name) => name.to_owned(),
        Err(_) => match encoding_rs::GBK.decode_without_bom_handling_and_without_replacement(raw) {
            Some(name) => name.into_owned(),
            None => raw.escape_ascii().to_string(),
        },
    };
    name.replace('\\', "/")
}

fn base(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn is_folder(name: &str) -> bool {
    name.ends_with('/')
}

/// Files that packing programs add.
fn is_metadata(name: &str) -> bool {
    name.starts_with("__MACOSX/") || base(name).starts_with('.')
}

/// A name that is safe to show in a message.
fn shown(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(100).collect()
}

fn refused(message: String) -> io::Error {
    FileError::new(FileCode::Archive, message).into_io()
}

fn broken(why: ZipError) -> io::Error {
    match why {
        ZipError::Io(why) if why.raw_os_error().is_some() => why,
        why => {
            let message = format!("is not a complete zip file: {why}; it is truncated or damaged, send it again");
            FileError::new(FileCode::Unreadable, message).into_io()
        }
    }
}
