//! What is wrong with the files that people write: all of it, each with file, line, key and what to write instead.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::document::{Node, Place};
use super::inherit::Version;

/// One thing to mend.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    pub file: Arc<str>,
    /// None where the file as a whole is meant.
    pub line: Option<usize>,
    /// As in `late_fee.rate`; empty where the file as a whole is meant.
    pub key: String,
    pub message: String,
    /// Who came across it, where a key is inherited from another file or version.
    pub inherited_by: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.message)?;
        match &self.inherited_by {
            Some(heir) => write!(f, " (inherited by {heir})"),
            None => Ok(()),
        }
    }
}

/// All that is wrong, by file and line. What several policies inherit is told once.
#[derive(Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    pub fn add(&mut self, place: &Place, key: &str, message: impl Into<String>) {
        self.push(place, key, message, None);
    }

    pub fn push(&mut self, place: &Place, key: &str, message: impl Into<String>, inherited_by: Option<String>) {
        let (file, key) = (place.file.clone(), shown(key));
        self.0.push(Problem { file, line: Some(place.line), key, message: message.into(), inherited_by });
    }

    /// Something about a file as a whole.
    pub fn add_file(&mut self, path: &Path, message: impl Into<String>) {
        let file = path.display().to_string().into();
        self.0.push(Problem { file, line: None, key: String::new(), message: message.into(), inherited_by: None });
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The value if nothing was wrong, else all that was.
    pub fn or_all<T>(mut self, value: Option<T>) -> Result<T, AllProblems> {
        self.0.sort();
        self.0.dedup_by(|a, b| (&a.file, a.line, &a.key, &a.message) == (&b.file, b.line, &b.key, &b.message));
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(AllProblems(self.0)),
        }
    }
}

/// What a configuration that can't be used is refused with.
#[derive(Debug, thiserror::Error)]
pub struct AllProblems(pub Vec<Problem>);

impl fmt::Display for AllProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() > 1 {
            write!(f, "{} things to mend", self.0.len())?;
        }
        for (i, problem) in self.0.iter().enumerate() {
            let separator = if i == 0 && self.0.len() == 1 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

/// A rule that a value breaks, under its key within the table that is being looked at.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {message}")]
pub struct Wrong {
    pub key: String,
    pub message: String,
}

/// An error about a key, for `Rules::keep` to find the line of.
pub fn wrong(key: impl Into<String>, message: impl Into<String>) -> anyhow::Error {
    Wrong { key: key.into(), message: message.into() }.into()
}

/// Goes through the rules of one table and collects what they find, each with its place.
pub struct Rules<'a> {
    table: &'a Node,
    /// The version as it stands in its file, and what it is called, when keys may stand elsewhere.
    heir: Option<(&'a Node, String)>,
    problems: &'a mut Problems,
}

impl<'a> Rules<'a> {
    pub fn new(table: &'a Node, problems: &'a mut Problems) -> Rules<'a> {
        Rules { table, heir: None, problems }
    }

    /// Rules of a version of a policy, some of whose keys may stand in another version or file.
    pub fn of_version(version: &'a Version, problems: &'a mut Problems) -> Rules<'a> {
        let own = &version.own;
        let heir = format!("version {}, {}:{}", version.effective_from, own.place.file, own.place.line);
        Rules { table: &version.whole, heir: Some((own, heir)), problems }
    }

    /// Notes what is wrong with a key.
    pub fn refuse(&mut self, key: &str, message: impl Into<String>) {
        self.keep(key, Err::<(), _>(wrong("", message)));
    }

    /// The value, or none with the problem noted. Keys of the error count from `section`, which may be empty.
    pub fn keep<T>(&mut self, section: &str, result: anyhow::Result<T>) -> Option<T> {
        let why = match result {
            Ok(value) => return Some(value),
            Err(why) => why,
        };
        let (key, message) = match why.downcast_ref::<Wrong>() {
            Some(wrong) => (join(section, &wrong.key), wrong.message.clone()),
            None => (section.to_owned(), format!("{why:#}")),
        };
        let place = self.table.place_of(&key);
        let elsewhere = |(own, heir): &(&Node, String)| (!own.holds(place)).then(|| heir.clone());
        let inherited_by = self.heir.as_ref().and_then(elsewhere);
        self.problems.push(place, &key, message, inherited_by);
        None
    }
}

/// `bands` and `[0].limit`, or `late_fee` and `rate`, as one key.
pub fn join(section: &str, key: &str) -> String {
    if section.is_empty() || key.is_empty() || key.starts_with('[') {
        return format!("{section}{key}");
    }
    format!("{section}.{key}")
}

/// A key as people read it: the line says which of a list is meant.
fn shown(key: &str) -> String {
    let mut plain = String::new();
    let mut rest = key;
    while let Some((before, after)) = rest.split_once('[') {
        plain.push_str(before);
        rest = after.split_once(']').map_or("", |(_, after)| after);
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_joined_and_shown_without_numbers() {
        for (section, key, joined, read) in [
            ("", "clock", "clock", "clock"),
            ("bands", "[1].limit", "bands[1].limit", "bands.limit"),
            ("late_fee", "rate", "late_fee.rate", "late_fee.rate"),
            ("late_fee", "", "late_fee", "late_fee"),
            ("late_fee.tiers[0]", "steps[2].rate", "late_fee.tiers[0].steps[2].rate", "late_fee.tiers.steps.rate"),
        ] {
            assert_eq!(join(section, key), joined);
            assert_eq!(shown(joined), read);
        }
    }
}
