//! The files that wait in an inbox, and why each one waits. Nothing is read or moved.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use chrono::NaiveDate;

use super::{NamePattern, final_name, valid_name};

/// A feed that takes files from a folder.
pub struct Taker<'a> {
    pub feed: &'a str,
    pub pattern: &'a NamePattern,
    pub settle: Duration,
    /// The suffix of the marker that says a file is complete.
    pub done: Option<&'a str>,
}

/// A file that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The feed that will take the file; `None` if its name matches no feed.
    pub feed: Option<String>,
    pub name: String,
    pub why: String,
}

/// The files of a folder by name, at most `limit`. A folder that does not exist has no files.
pub fn list(
    folder: &Path,
    takers: &[Taker<'_>],
    today: NaiveDate,
    now: SystemTime,
    limit: usize,
) -> io::Result<Vec<Waiting>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(why) => return Err(why),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string().ok().filter(|name| !name.contains(char::is_control)));
    }
    names.sort_unstable();
    let mut waiting = Vec::new();
    for name in &names {
        // Another run may take the file at any moment.
        let Ok(metadata) = fs::symlink_metadata(folder.join(name)) else { continue };
        if metadata.is_dir() {
            continue;
        }
        let is_there = |name: &str| names.binary_search_by(|there| there.as_str().cmp(name)).is_ok();
        let marks = |taker: &Taker<'_>| name.strip_suffix(taker.done?).filter(|of| taker.pattern.matches(of).is_some());
        if takers.iter().filter_map(marks).any(is_there) {
            continue;
        }
        let meant = final_name(name).unwrap_or(name);
        let is_marker = |taker: &Taker<'_>| taker.done.is_some_and(|ending| name.ends_with(ending));
        let takers = takers.iter().filter(|taker| !is_marker(taker));
        let fits = takers.into_iter().find_map(|taker| Some((taker, taker.pattern.matches(meant)?)));
        // A hidden file that matches no feed belongs to another program.
        if fits.is_none() && name.starts_with('.') {
            continue;
        }
        let marker = |taker: &Taker<'_>| taker.done.map(|ending| format!("{name}{ending}"));
        let age = now.duration_since(metadata.modified()?).unwrap_or_default();
        let why = match &fits {
            _ if !metadata.is_file() => "not a regular file; it is never taken".to_owned(),
            Some(_) if matches!(valid_name(name.as_ref()), Err(Some(_))) => {
                "its name is too long or not valid; it is never taken".to_owned()
            }
            None => "its name matches no feed's pattern; rename it".to_owned(),
            Some(_) if meant != *name => {
                format!("its name says that it is incomplete; rename it to {meant} when it is complete")
            }
            Some((_, says)) if says.date.is_some_and(|date| date > today) => "its date is in the future".to_owned(),
            Some((taker, _)) => match marker(taker) {
                Some(marker) if !is_there(&marker) => format!("waits for its marker {marker}"),
                None if age < taker.settle => "still being written: it has just changed".to_owned(),
                _ => "taken by the next ingest_files".to_owned(),
            },
        };
        waiting.push(Waiting { feed: fits.map(|(taker, _)| taker.feed.to_owned()), name: name.clone(), why });
        if waiting.len() == limit {
            break;
        }
    }
    Ok(waiting)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_waiting_file_has_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        for name in
            ["o-2026-03-01.csv", "o-2026-03-02.csv", "o-2026-03-01.csv.part", ".o-2026-03-01.csv", "x.csv", "x.csv.tmp"]
        {
            fs::write(folder.path().join(name), "").unwrap();
        }
        fs::create_dir(folder.path().join("old")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("o-2026-02-28.csv")).unwrap();
        let pattern = NamePattern::parse("o-{date}.csv").unwrap();
        let now = SystemTime::now();
        let listed = |settle: u64, limit: usize| {
            let taker = Taker { feed: "orders", pattern: &pattern, settle: Duration::from_secs(settle), done: None };
            list(folder.path(), &[taker], "2026-03-01".parse().unwrap(), now, limit).unwrap()
        };
        let waiting = listed(0, 10);
        let shown: Vec<String> =
            waiting.iter().map(|w| format!("{} {}: {}", w.feed.as_deref().unwrap_or("-"), w.name, w.why)).collect();
        let expected = [
            "orders .o-2026-03-01.csv: its name says that it is incomplete; rename it to o-2026-03-01.csv when it is complete",
            "orders o-2026-02-28.csv: not a regular file; it is never taken",
            "orders o-2026-03-01.csv: taken by the next ingest_files",
            "orders o-2026-03-01.csv.part: its name says that it is incomplete; rename it to o-2026-03-01.csv when it is complete",
            "orders o-2026-03-02.csv: its date is in the future",
            "- x.csv: its name matches no feed's pattern; rename it",
            "- x.csv.tmp: its name matches no feed's pattern; rename it",
        ];
        assert_eq!(shown, expected);
        assert_eq!(listed(60, 10)[2].why, "still being written: it has just changed");
        assert_eq!(listed(60, 3).len(), 3);
        assert_eq!(list(Path::new("/nowhere"), &[], "2026-03-01".parse().unwrap(), now, 1).unwrap(), []);
    }

    #[test]
    fn a_file_waits_for_its_marker_and_never_a_marker_for_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let long = format!("o-2026-03-01{}.csv", "x".repeat(190));
        for name in ["o-2026-03-01-a.csv", "o-2026-03-01-b.csv", "o-2026-03-01-b.csv.done", ".lock", long.as_str()] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let pattern = NamePattern::parse("o-{date}*").unwrap();
        let taker = Taker { feed: "orders", pattern: &pattern, settle: Duration::from_secs(60), done: Some(".done") };
        let waiting = list(folder.path(), &[taker], "2026-03-01".parse().unwrap(), SystemTime::now(), 10).unwrap();
        let shown: Vec<String> = waiting.iter().map(|w| format!("{:.18}: {}", w.name, w.why)).collect();
        let expected = [
            "o-2026-03-01-a.csv: waits for its marker o-2026-03-01-a.csv.done",
            "o-2026-03-01-b.csv: taken by the next ingest_files",
            "o-2026-03-01xxxxxx: its name is too long or not valid; it is never taken",
        ];
        assert_eq!(shown, expected);
    }
}
