//! Finding files in their folders, and filing them when they are done. Files still being written are left alone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use chrono::NaiveDate;
use regex_lite::Regex;

use super::atomic;

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
    pub bytes: u64,
    pub modified: SystemTime,
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

/// Files of a folder that fit, by date, number and name. A folder that is not there has none.
pub fn look(folder: &Path, pattern: &NamePattern) -> io::Result<Vec<Found>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(why) => return Err(why),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        // Only plain files: a link could lead anywhere, and reading a pipe would wait for ever.
        if !entry.file_type()?.is_file() {
            continue;
        }
        let Ok(name) = entry.file_name().into_string() else { continue };
        if final_name(&name).is_some() || name.contains(char::is_control) {
            continue;
        }
        let Some(InName { date, number }) = pattern.matches(&name) else { continue };
        let metadata = entry.metadata()?;
        let (bytes, modified) = (metadata.len(), metadata.modified()?);
        found.push(Found { path: entry.path(), name, date, number, bytes, modified });
    }
    // Number 10 comes after number 9.
    found.sort_by(|a, b| (a.date, a.number, &a.name).cmp(&(b.date, b.number, &b.name)));
    Ok(found)
}

/// What a file will be called once it is whole, if its name says that it is not.
pub fn final_name(name: &str) -> Option<&str> {
    name.strip_prefix('.').or_else(|| name.strip_suffix(".part")).or_else(|| name.strip_suffix(".tmp"))
}

/// Whether a file is still as it was seen, and has been left alone for a while: nobody is writing it any more.
pub fn is_settled(found: &Found, settle: Duration, now: SystemTime) -> io::Result<bool> {
    let metadata = fs::metadata(&found.path)?;
    let unchanged = metadata.len() == found.bytes && metadata.modified()? == found.modified;
    let age = now.duration_since(found.modified).unwrap_or_default();
    Ok(unchanged && age >= settle)
}

/// Moves or, from a folder that keeps its files, copies a file that is done. Doing it again changes nothing.
pub fn file_away(from: &Path, folder: &Path, name: &str, keep: bool) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let to = folder.join(name);
    if !from.exists() {
        return if to.exists() {
            Ok(())
        } else {
            Err(io::Error::new(io::ErrorKind::NotFound, format!("{} is gone before it was filed", from.display())))
        };
    }
    if !keep && atomic::rename(from, &to).is_ok() {
        return Ok(());
    }
    // Another disk, or a folder that keeps its files: copy, and only then let go of the original.
    let part = atomic::part_of(&to);
    fs::copy(from, &part)?;
    fs::File::open(&part)?.sync_all()?;
    atomic::rename(&part, &to)?;
    if keep { Ok(()) } else { fs::remove_file(from) }
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
}
