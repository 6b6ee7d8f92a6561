//! The inbox: lists the files of a folder, and archives a file once it is done. A file that is still being written is left
//! alone. Anything that is not a regular file with a valid name is left in place and reported.

pub mod kept;
mod name_pattern;
pub mod waiting;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::NaiveDate;

use crate::files::atomic;
use crate::files::read::source::{self, Seen};

pub use name_pattern::{InName, NamePattern};

/// A file whose name matches a feed's pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub path: PathBuf,
    pub name: String,
    /// The date in the name.
    pub date: Option<NaiveDate>,
    /// The number in the name.
    pub number: Option<i64>,
    /// The state of the file when it was found.
    pub seen: Seen,
}

/// An entry of a folder that is left in place, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refused {
    /// The name, safe to show in a message.
    pub name: String,
    pub why: String,
}

/// The entries of a folder that concern a feed.
#[derive(Debug, Default)]
pub struct Listing {
    /// Sorted by date, number and name.
    pub found: Vec<Found>,
    pub refused: Vec<Refused>,
}

/// The longest accepted name in bytes. The names of acknowledgements are longer still.
const LONGEST_NAME: usize = 200;

/// The most characters of an overlong name that a message shows.
const LONGEST_SHOWN: usize = 1_000;

/// Suffixes of files that are still being sent.
const INCOMPLETE: &[&str] = &[".part", ".tmp", ".filepart", "~"];

/// Lists the files that match a pattern. With `done`, a file counts only if its marker, `NAME` plus that suffix, is beside
/// it. Files that are already known, or whose day has not come, are left out and not opened. A folder that does not exist has
/// no files.
pub fn list(
    folder: &Path,
    pattern: &NamePattern,
    done: Option<&str>,
    is_due: impl Fn(Option<NaiveDate>) -> bool,
    is_known: impl Fn(&str, &Seen) -> bool,
) -> io::Result<Listing> {
    let mut looked = Listing::default();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(looked),
        Err(why) => return Err(why),
    };
    for entry in entries {
        let entry = entry?;
        let name = match valid_name(&entry.file_name()) {
            Ok(name) => name,
            Err(Some(refused)) => {
                looked.refused.push(refused);
                continue;
            }
            Err(None) => continue,
        };
        let is_marker = done.is_some_and(|ending| name.ends_with(ending));
        let Some(InName { date, number }) = pattern.matches(&name).filter(|_| !is_marker) else { continue };
        if done.is_some_and(|ending| !is_plain(&folder.join(format!("{name}{ending}")))) {
            continue;
        }
        let metadata = entry.metadata();
        if metadata.as_ref().is_ok_and(|metadata| is_known(&name, &Seen::of(metadata))) {
            continue;
        }
        if !is_due(date) && metadata.as_ref().is_ok_and(fs::Metadata::is_file) {
            continue;
        }
        match metadata.and_then(|metadata| plain(&entry, &metadata)) {
            Ok(Ok(seen)) => looked.found.push(Found { path: entry.path(), name, date, number, seen }),
            Ok(Err(why)) => looked.refused.push(Refused { name, why }),
            // The file was removed after the folder was listed, or the entry is a folder.
            Err(why) if matches!(why.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory) => {}
            Err(why) => return Err(why),
        }
    }
    // By number, not by text: 10 comes after 9.
    looked.found.sort_by(|a, b| (a.date, a.number, &a.name).cmp(&(b.date, b.number, &b.name)));
    looked.refused.sort();
    Ok(looked)
}

/// The final name of a file whose present name marks it as incomplete.
pub fn final_name(name: &str) -> Option<&str> {
    name.strip_prefix('.').or_else(|| INCOMPLETE.iter().find_map(|ending| name.strip_suffix(ending)))
}

/// Checks that a name is safe to store and to extend. `Err(None)`: the entry is ignored.
pub fn valid_name(name: &OsStr) -> Result<String, Option<Refused>> {
    let bytes = name.as_bytes();
    let leads_elsewhere = bytes.contains(&b'/') || bytes.contains(&b'\\');
    let is_incomplete = INCOMPLETE.iter().any(|ending| bytes.ends_with(ending.as_bytes()));
    if bytes.is_empty() || !leads_elsewhere && (bytes.starts_with(b".") || is_incomplete) {
        return Err(None);
    }
    // A name that another program decoded has this character in place of bytes that are not UTF-8.
    let wrong = match name.to_str().filter(|text| !text.contains(char::REPLACEMENT_CHARACTER)) {
        None => "has a name that is not UTF-8".to_owned(),
        Some(text) if text.contains(char::is_control) => "has control characters in its name".to_owned(),
        Some(_) if leads_elsewhere => "has slashes in its name".to_owned(),
        Some(_) if bytes.len() > LONGEST_NAME => {
            format!("has a name of {} bytes; at most {LONGEST_NAME} are allowed", bytes.len())
        }
        Some(text) => return Ok(text.to_owned()),
    };
    let name = match name.to_str() {
        Some(text) if !text.contains(char::is_control) => text.to_owned(),
        _ => bytes.escape_ascii().to_string(),
    };
    let name = name.chars().take(LONGEST_SHOWN).collect();
    Err(Some(Refused { name, why: format!("{wrong}; send it under another name") }))
}

fn is_plain(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file())
}

/// The state of a regular file that can be opened, or why it is refused.
fn plain(entry: &fs::DirEntry, metadata: &fs::Metadata) -> io::Result<Result<Seen, String>> {
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if let Some(what) = not_a_file(metadata.mode()) {
        return Ok(Err(what));
    }
    match source::open_plain(&entry.path()) {
        Ok(file) => Ok(Ok(Seen::of(&file.metadata()?))),
        Err(why) if why.kind() == io::ErrorKind::PermissionDenied => {
            Ok(Err("cannot be read; give the user that runs paylater read permission".to_owned()))
        }
        Err(why) => Err(why),
    }
}

/// Why an entry with this Unix mode, local or remote, is refused; `None` for a regular file. Folders are sorted out before.
pub fn not_a_file(mode: u32) -> Option<String> {
    let what = match mode & 0o170_000 {
        0o100_000 => return None,
        0o120_000 => "is a symbolic link",
        0o010_000 => "is a pipe",
        0o140_000 => "is a socket",
        _ => "is a device",
    };
    Some(format!("{what}; send a regular file instead"))
}

/// Whether a file is unchanged and has been so for `settle`, so that its sender has finished writing. The age is measured
/// at the first look and the time waited since then is added, so that setting the clock has no effect.
pub fn is_settled(found: &Found, settle: Duration, age: Duration, waited: Duration) -> bool {
    age.saturating_add(waited) >= settle && source::is_there(&found.path, &found.seen)
}

/// How a file is recognised when it is archived.
#[derive(Debug, Clone, Copy)]
pub enum Known<'a> {
    /// It was read in this run.
    Seen(&'a Seen),
    /// It was read before an interruption; its bytes identify it.
    Sha256(&'a str),
}

/// A file that is done, and its destination.
#[derive(Debug)]
pub struct Filing<'a> {
    pub from: &'a Path,
    pub folder: &'a Path,
    /// Its name in that folder.
    pub name: &'a str,
    /// Copy the file and leave the original in place.
    pub keep: bool,
    /// The suffix of its marker.
    pub done: Option<&'a str>,
}

/// Moves or copies a file that is done; repeating the call changes nothing. Returns whether the file is in the folder now.
/// If the sender removed or replaced the original, the replacement stays where it is.
pub fn file_away(filing: &Filing<'_>, known: Known<'_>) -> io::Result<bool> {
    let Filing { from, folder, name, keep, done } = *filing;
    fs::create_dir_all(folder)?;
    let to = folder.join(name);
    if let Known::Sha256(_) = known {
        // The copy may have been interrupted, and the sender may have removed the original since.
        clear_part_of(&to)?;
        if let Some(ending) = done {
            clear_part_of(&folder.join(format!("{name}{ending}")))?;
        }
    }
    let Some(mut file) = the_same(from, known)? else { return Ok(to.exists()) };
    // Move the marker first: left behind, it would mark the next file of this name as complete.
    if let Some(ending) = done {
        let marker = from.with_file_name(format!("{}{ending}", from.file_name().unwrap_or_default().display()));
        if is_plain(&marker) && !keep {
            move_or_copy(&marker, &folder.join(format!("{name}{ending}")), None)?;
        }
    }
    if keep { copy(&mut file, &to) } else { move_or_copy(from, &to, Some(&mut file)) }?;
    Ok(true)
}

/// Opens the file that was read, if it is still in place.
fn the_same(path: &Path, known: Known<'_>) -> io::Result<Option<File>> {
    let opened = match known {
        Known::Seen(seen) => source::open(path, seen),
        Known::Sha256(_) => source::open_plain(path),
    };
    let mut file = match opened {
        Ok(file) => file,
        Err(why) if source::is_changed(&why) || why.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(why) if !is_plain(path) => {
            tracing::warn!(%why, "the file was replaced by something that is not a regular file");
            return Ok(None);
        }
        Err(why) => return Err(why),
    };
    if let Known::Sha256(expected) = known {
        if source::fingerprint(&mut file)? != expected {
            return Ok(None);
        }
        file.seek(SeekFrom::Start(0))?;
    }
    Ok(Some(file))
}

fn move_or_copy(from: &Path, to: &Path, opened: Option<&mut File>) -> io::Result<()> {
    if atomic::rename(from, to).is_ok() {
        return Ok(());
    }
    // The folder is on another disk: copy the file, then remove the original.
    match opened {
        Some(file) => copy(file, to)?,
        None => copy(&mut source::open_plain(from)?, to)?,
    }
    fs::remove_file(from)
}

/// Removes the remains of an interrupted copy.
fn clear_part_of(to: &Path) -> io::Result<()> {
    match fs::remove_file(atomic::part_of(to)) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => Err(why),
        _ => Ok(()),
    }
}

fn copy(file: &mut File, to: &Path) -> io::Result<()> {
    let part = atomic::part_of(to);
    let mut copy = File::create(&part)?;
    io::copy(file, &mut copy)?;
    copy.sync_all()?;
    atomic::rename(&part, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_valid_or_refused() {
        let of = |name: &str| valid_name(OsStr::new(name));
        for good in ["orders-2026-03-01.csv", "订单 (1).csv", "a;b`c$d.csv", &"x".repeat(LONGEST_NAME)] {
            assert_eq!(of(good), Ok(good.to_owned()));
        }
        for alone in ["", ".", "..", ".orders.csv", "orders.csv.part", "orders.csv~"] {
            assert_eq!(of(alone), Err(None), "{alone}");
        }
        let long = "x".repeat(50_000);
        for bad in ["../a.csv", "/etc/passwd", "a\\b", "./a.part", "a\nb.csv", "a\u{1b}[31m", "a\u{fffd}", &long] {
            let refused = of(bad).unwrap_err().unwrap();
            assert!(!refused.name.contains(char::is_control) && refused.name.len() <= 4 * LONGEST_SHOWN, "{refused:?}");
        }
    }

    #[test]
    fn an_interrupted_copy_leaves_nothing_behind() {
        let home = tempfile::tempdir().unwrap();
        let archive = home.path().join("archive");
        fs::create_dir(&archive).unwrap();
        for name in ["a.csv.part", "a.csv.done.part"] {
            fs::write(archive.join(name), "hal").unwrap();
        }
        // The sender has removed the original since.
        let from = home.path().join("a.csv");
        let filing = Filing { from: &from, folder: &archive, name: "a.csv", keep: true, done: Some(".done") };
        assert!(!file_away(&filing, Known::Sha256("")).unwrap());
        assert_eq!(fs::read_dir(&archive).unwrap().count(), 0);
    }
}
