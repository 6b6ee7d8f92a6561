//! Finding files in their folders, and filing them when they are done. Files still being written are left alone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use chrono::NaiveDate;
use regex_lite::Regex;

use super::atomic;

/// A file name with `{date}` and `*` in it.
#[derive(Debug, Clone)]
pub struct NamePattern {
    text: String,
    regex: Regex,
}

impl NamePattern {
    /// `{date}` stands for a date like 2026-03-09 or 20260309, `*` for anything.
    pub fn parse(text: &str) -> Result<NamePattern, String> {
        if text.contains(['/', '\\']) {
            return Err("a pattern is a file name, without folders".to_owned());
        }
        if text.matches("{date}").count() > 1 {
            return Err("{date} can stand in a pattern once".to_owned());
        }
        let escaped = regex_lite::escape(text)
            .replace(r"\{date\}", r"(?<date>[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8})")
            .replace(r"\*", ".*");
        let regex = Regex::new(&format!("^{escaped}$")).map_err(|why| why.to_string())?;
        Ok(NamePattern { text: text.to_owned(), regex })
    }

    /// Whether a name fits; with the date in it, if it has one. A date that does not exist does not fit.
    pub fn matches(&self, name: &str) -> Option<Option<NaiveDate>> {
        let captures = self.regex.captures(name)?;
        match captures.name("date") {
            None => Some(None),
            Some(date) => {
                let digits = date.as_str().replace('-', "");
                NaiveDate::parse_from_str(&digits, "%Y%m%d").ok().map(Some)
            }
        }
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
    pub bytes: u64,
    pub modified: SystemTime,
}

/// Files of a folder that fit, by date and name. A folder that is not there has none.
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
        if name.starts_with('.') || name.ends_with(".part") || name.ends_with(".tmp") || name.contains(char::is_control)
        {
            continue;
        }
        let Some(date) = pattern.matches(&name) else { continue };
        let metadata = entry.metadata()?;
        found.push(Found { path: entry.path(), name, date, bytes: metadata.len(), modified: metadata.modified()? });
    }
    found.sort_by(|a, b| (a.date, &a.name).cmp(&(b.date, &b.name)));
    Ok(found)
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
        let day = |text: &str| Some(Some(text.parse().unwrap()));
        for (pattern, name, expected) in [
            ("orders-{date}.csv", "orders-2026-03-09.csv", day("2026-03-09")),
            ("orders-{date}.csv", "orders-20260309.csv", day("2026-03-09")),
            ("orders-{date}.csv", "orders-2026-02-30.csv", None),
            ("orders-{date}.csv", "orders-2026-03-09.csv.part", None),
            ("orders-{date}*.csv", "orders-2026-03-09-b.csv", day("2026-03-09")),
            ("orders.csv", "orders.csv", Some(None)),
            ("orders.csv", "ordersXcsv", None),
            ("*.csv", "a b(1).csv", Some(None)),
        ] {
            assert_eq!(NamePattern::parse(pattern).unwrap().matches(name), expected, "{pattern} {name}");
        }
        assert!(NamePattern::parse("../{date}.csv").is_err());
    }
}
