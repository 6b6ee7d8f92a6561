//! Finding files in their folders, and filing them when they are done. Files still being written are left alone, and so
//! is what is no plain file under a proper name; the latter is told.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::NaiveDate;
use regex_lite::Regex;

use super::atomic;
use super::source::{self, Seen};

/// What rejected rows come back under, ready to be mended: `NAME.rejects.csv`.
const REJECTS: &str = ".rejects.csv";

/// A file name with `{date}`, `{number}` and `*` in it.
#[derive(Debug, Clone)]
pub struct NamePattern {
    text: String,
    regex: Regex,
}

/// What a file's name says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InName {
    pub date: Option<NaiveDate>,
    pub number: Option<i64>,
}

impl NamePattern {
    /// `{date}` stands for a date like 2026-03-09 or 20260309, `{number}` for a number, `*` for anything.
    pub fn parse(text: &str) -> Result<NamePattern, String> {
        if text.contains(['/', '\\']) {
            return Err("a pattern is a file name, without folders".to_owned());
        }
        for part in ["{date}", "{number}"] {
            if text.matches(part).count() > 1 {
                return Err(format!("{part} can stand in a pattern once"));
            }
        }
        let escaped = regex_lite::escape(text)
            .replace(r"\{date\}", r"(?<date>[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8})")
            .replace(r"\{number\}", "(?<number>[0-9]{1,18})")
            .replace(r"\*", ".*");
        let regex = Regex::new(&format!("^{escaped}$")).map_err(|why| why.to_string())?;
        Ok(NamePattern { text: text.to_owned(), regex })
    }

    /// Whether a name fits; with the date and number in it. A date that does not exist does not fit. Rejected rows fit
    /// under the name they were handed out with, if the file they are from does.
    pub fn matches(&self, name: &str) -> Option<InName> {
        let mended = || {
            let from = name.strip_suffix(REJECTS)?;
            self.matches(from).or_else(|| self.matches(&without_count(from)?))
        };
        self.read(name).or_else(mended)
    }

    fn read(&self, name: &str) -> Option<InName> {
        let captures = self.regex.captures(name)?;
        let date = match captures.name("date") {
            Some(date) => Some(NaiveDate::parse_from_str(&date.as_str().replace('-', ""), "%Y%m%d").ok()?),
            None => None,
        };
        let number = captures.name("number").and_then(|number| number.as_str().parse().ok());
        Some(InName { date, number })
    }

    pub fn has_date(&self) -> bool {
        self.text.contains("{date}")
    }

    pub fn has_number(&self) -> bool {
        self.text.contains("{number}")
    }

    pub fn text(&self) -> &str {
        &self.text
    }
}

/// A file that fits a feed's pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub path: PathBuf,
    pub name: String,
    /// The date in its name.
    pub date: Option<NaiveDate>,
    /// The number in its name.
    pub number: Option<i64>,
    /// What it was when it was found.
    pub seen: Seen,
}

/// `orders.csv` of `orders.2.csv`, as the second file of that name is kept.
fn without_count(kept_as: &str) -> Option<String> {
    let is_count = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (rest, last) = kept_as.rsplit_once('.')?;
    if is_count(last) {
        return Some(rest.to_owned());
    }
    let (stem, count) = rest.rsplit_once('.')?;
    is_count(count).then(|| format!("{stem}.{last}"))
}

/// Something in a folder that is not taken, and why. It stays where it lies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refused {
    /// Its name as a message can hold it.
    pub name: String,
    pub why: String,
}

/// What lies in a folder for a feed.
#[derive(Debug, Default)]
pub struct Looked {
    /// By date, number and name.
    pub found: Vec<Found>,
    pub refused: Vec<Refused>,
}

/// The longest name that is taken, in bytes: answers have names that are longer still.
const LONGEST_NAME: usize = 200;

/// As much of a name is shown, of those that are longer than any here can be.
const LONGEST_SHOWN: usize = 1_000;

/// How names end while a file is still being sent.
const UNFINISHED: &[&str] = &[".part", ".tmp", ".filepart", "~"];

/// Looks for files that fit, with a marker beside them if the feed wants one: `NAME` and the ending `done`. Those that are known
/// already are left out, and not opened. A folder that is not there has none.
pub fn look(
    folder: &Path,
    pattern: &NamePattern,
    done: Option<&str>,
    is_known: impl Fn(&str, &Seen) -> bool,
) -> io::Result<Looked> {
    let mut looked = Looked::default();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(looked),
        Err(why) => return Err(why),
    };
    for entry in entries {
        let entry = entry?;
        let name = match proper_name(&entry.file_name()) {
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
        match metadata.and_then(|metadata| plain(&entry, &metadata)) {
            Ok(Ok(seen)) => looked.found.push(Found { path: entry.path(), name, date, number, seen }),
            Ok(Err(why)) => looked.refused.push(Refused { name, why }),
            // Taken away since the folder was listed; or a folder, which nobody meant as a file.
            Err(why) if matches!(why.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory) => {}
            Err(why) => return Err(why),
        }
    }
    // Number 10 comes after number 9.
    looked.found.sort_by(|a, b| (a.date, a.number, &a.name).cmp(&(b.date, b.number, &b.name)));
    looked.refused.sort();
    Ok(looked)
}

/// What a file will be called once it is whole, if its name says that it is not.
pub fn final_name(name: &str) -> Option<&str> {
    name.strip_prefix('.').or_else(|| UNFINISHED.iter().find_map(|ending| name.strip_suffix(ending)))
}

/// A name that can be written down and added to, whoever gave it. None: one that is left alone.
pub fn proper_name(name: &OsStr) -> Result<String, Option<Refused>> {
    let bytes = name.as_bytes();
    let leads_elsewhere = bytes.contains(&b'/') || bytes.contains(&b'\\');
    let is_unfinished = UNFINISHED.iter().any(|ending| bytes.ends_with(ending.as_bytes()));
    if bytes.is_empty() || !leads_elsewhere && (bytes.starts_with(b".") || is_unfinished) {
        return Err(None);
    }
    // What was decoded on its way here has a sign of its own for what is not UTF-8.
    let wrong = match name.to_str().filter(|text| !text.contains(char::REPLACEMENT_CHARACTER)) {
        None => "has a name that is not UTF-8".to_owned(),
        Some(text) if text.contains(char::is_control) => "has control characters in its name".to_owned(),
        Some(_) if leads_elsewhere => "has slashes in its name, as if it lay elsewhere".to_owned(),
        Some(_) if bytes.len() > LONGEST_NAME => {
            format!("has a name of {} bytes, and {LONGEST_NAME} are the most", bytes.len())
        }
        Some(text) => return Ok(text.to_owned()),
    };
    let name = match name.to_str() {
        Some(text) if !text.contains(char::is_control) => text.to_owned(),
        _ => bytes.escape_ascii().to_string(),
    };
    let name = name.chars().take(LONGEST_SHOWN).collect();
    Err(Some(Refused { name, why: format!("{wrong}; have it sent under another") }))
}

fn is_plain(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file())
}

/// A plain file that can be opened, or why it is none.
fn plain(entry: &fs::DirEntry, metadata: &fs::Metadata) -> io::Result<Result<Seen, String>> {
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if let Some(what) = no_file(metadata.mode()) {
        return Ok(Err(what));
    }
    match source::open_plain(&entry.path()) {
        Ok(file) => Ok(Ok(Seen::of(&file.metadata()?))),
        Err(why) if why.kind() == io::ErrorKind::PermissionDenied => {
            Ok(Err("may not be read; give the user that runs paylater the right to".to_owned()))
        }
        Err(why) => Err(why),
    }
}

/// Why what has this mode, here or elsewhere, is not taken; none for a plain file. Not asked about folders.
pub fn no_file(mode: u32) -> Option<String> {
    let what = match mode & 0o170_000 {
        0o100_000 => return None,
        0o120_000 => "is a symbolic link, which could lead anywhere",
        0o010_000 => "is a pipe",
        0o140_000 => "is a socket",
        _ => "is a device",
    };
    Some(format!("{what}; have the file itself put there"))
}

/// Whether a file is still as it was seen, and has been left alone long enough: nobody is writing it any more. Its age is
/// that at the first look, and the wait since then is added to it, so that a clock that is set does not count.
pub fn is_settled(found: &Found, settle: Duration, age: Duration, waited: Duration) -> bool {
    age.saturating_add(waited) >= settle && source::is_there(&found.path, &found.seen)
}

/// How a file is known again when it is filed away.
#[derive(Debug, Clone, Copy)]
pub enum Known<'a> {
    /// It was read just now.
    Seen(&'a Seen),
    /// It was read before a stop: by its bytes.
    Sha256(&'a str),
}

/// A file that is done, and where it goes.
#[derive(Debug)]
pub struct Filing<'a> {
    pub from: &'a Path,
    pub folder: &'a Path,
    /// Its name there.
    pub name: &'a str,
    /// Copy it and leave it where it lies.
    pub keep: bool,
    /// How the name of its marker ends.
    pub done: Option<&'a str>,
}

/// Moves or copies a file that is done. Doing it again changes nothing. The answer is whether it lies there now: if its
/// sender took it away or put another in its place, that one is left where it is.
pub fn file_away(filing: &Filing<'_>, known: Known<'_>) -> io::Result<bool> {
    let Filing { from, folder, name, keep, done } = *filing;
    fs::create_dir_all(folder)?;
    let to = folder.join(name);
    if let Known::Sha256(_) = known {
        // A stop may have come while it was copied, and its sender may have taken it away since.
        clear_part_of(&to)?;
        if let Some(ending) = done {
            clear_part_of(&folder.join(format!("{name}{ending}")))?;
        }
    }
    let Some(mut file) = the_same(from, known)? else { return Ok(to.exists()) };
    // The marker goes first: without its file it would vouch for the next of that name.
    if let Some(ending) = done {
        let marker = from.with_file_name(format!("{}{ending}", from.file_name().unwrap_or_default().display()));
        if is_plain(&marker) && !keep {
            move_or_copy(&marker, &folder.join(format!("{name}{ending}")), None)?;
        }
    }
    if keep { copy(&mut file, &to) } else { move_or_copy(from, &to, Some(&mut file)) }?;
    Ok(true)
}

/// The file that was read, if it still lies there.
fn the_same(path: &Path, known: Known<'_>) -> io::Result<Option<File>> {
    let opened = match known {
        Known::Seen(seen) => source::open(path, seen),
        Known::Sha256(_) => source::open_plain(path),
    };
    let mut file = match opened {
        Ok(file) => file,
        Err(why) if source::is_changed(&why) || why.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(why) if !is_plain(path) => {
            tracing::warn!(%why, "what lies in the place of a file is none");
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
    // Another disk: copy, and only then let go of the original.
    match opened {
        Some(file) => copy(file, to)?,
        None => copy(&mut source::open_plain(from)?, to)?,
    }
    fs::remove_file(from)
}

/// Removes what a copy that was cut off left.
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
    fn patterns() {
        let day = |text: &str| Some(InName { date: Some(text.parse().unwrap()), number: None });
        let number = |number| InName { date: None, number: Some(number) };
        for (pattern, name, expected) in [
            ("orders-{date}.csv", "orders-2026-03-09.csv", day("2026-03-09")),
            ("orders-{date}.csv", "orders-20260309.csv", day("2026-03-09")),
            ("orders-{date}.csv", "orders-2026-02-30.csv", None),
            ("orders-{date}.csv", "orders-2026-03-09.csv.part", None),
            ("orders-{date}*.csv", "orders-2026-03-09-b.csv", day("2026-03-09")),
            ("orders.csv", "orders.csv", Some(InName::default())),
            ("orders.csv", "ordersXcsv", None),
            ("*.csv", "a b(1).csv", Some(InName::default())),
            ("bill-{number}.csv", "bill-0007.csv", Some(number(7))),
            ("bill-{number}.csv", "bill-.csv", None),
            ("bill-{number}.csv", "bill-1234567890123456789.csv", None),
            ("{date}{number}.csv", "2026030912.csv", Some(InName { number: Some(12), ..day("2026-03-09").unwrap() })),
            // Rejected rows, mended, under the names they were handed out with.
            ("orders-{date}.csv", "orders-2026-03-09.csv.rejects.csv", day("2026-03-09")),
            ("orders-{date}.csv", "orders-2026-03-09.2.csv.rejects.csv", day("2026-03-09")),
            ("orders-{date}.csv", "orders-2026-03-09.csv.rejects.csv.rejects.csv", day("2026-03-09")),
            ("orders-{date}.csv", "orders-2026-03-09.csv.rejects.2.csv.rejects.csv", day("2026-03-09")),
            ("orders-{date}.csv", "orders-2026-03-09.2.csv", None),
            ("orders-{date}.csv", "bills-2026-03-09.csv.rejects.csv", None),
            ("bill", "bill.12.rejects.csv", Some(InName::default())),
        ] {
            assert_eq!(NamePattern::parse(pattern).unwrap().matches(name), expected, "{pattern} {name}");
        }
        for wrong in ["../{date}.csv", "{date}-{date}.csv", "{number}-{number}.csv"] {
            assert!(NamePattern::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_are_proper_or_refused() {
        let of = |name: &str| proper_name(OsStr::new(name));
        for good in ["orders-2026-03-01.csv", "订单 (1).csv", "a;b`c$d.csv", &"x".repeat(LONGEST_NAME)] {
            assert_eq!(of(good), Ok(good.to_owned()));
        }
        for alone in ["", ".", "..", ".orders.csv", "orders.csv.part", "orders.csv~"] {
            assert_eq!(of(alone), Err(None), "{alone}");
        }
        let long = "x".repeat(50_000);
        for bad in ["../a.csv", "/etc/passwd", "a\\b", "./a.part", "a\nb.csv", "a\u{1b}[31m", "a\u{fffd}", &long] {
            let told = of(bad).unwrap_err().unwrap();
            assert!(!told.name.contains(char::is_control) && told.name.len() <= 4 * LONGEST_SHOWN, "{told:?}");
        }
    }

    #[test]
    fn a_copy_that_was_cut_off_leaves_nothing_behind() {
        let home = tempfile::tempdir().unwrap();
        let archive = home.path().join("archive");
        fs::create_dir(&archive).unwrap();
        for name in ["a.csv.part", "a.csv.done.part"] {
            fs::write(archive.join(name), "hal").unwrap();
        }
        // Its sender has taken it away since.
        let from = home.path().join("a.csv");
        let filing = Filing { from: &from, folder: &archive, name: "a.csv", keep: true, done: Some(".done") };
        assert!(!file_away(&filing, Known::Sha256("")).unwrap());
        assert_eq!(fs::read_dir(&archive).unwrap().count(), 0);
    }
}
