//! The problems in files that people write: all of them, each with file, line, key and advice on what to write instead.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// The file and line where something is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    pub file: Arc<str>,
    /// The first line is 1.
    pub line: usize,
}

/// One error for a person to correct.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    pub file: Arc<str>,
    /// `None` if the problem concerns the whole file.
    pub line: Option<usize>,
    /// The key, such as `late_fee.rate`; empty if the problem concerns the whole file.
    pub key: String,
    pub message: String,
    /// The version that inherits the key, if the key is in another file or version.
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

/// All problems, by file and line. A problem that several policies inherit is reported once.
#[derive(Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    pub fn add(&mut self, location: &Location, key: &str, message: impl Into<String>) {
        self.push(location, key, message, None);
    }

    pub fn push(&mut self, location: &Location, key: &str, message: impl Into<String>, inherited_by: Option<String>) {
        let (file, key) = (location.file.clone(), shown(key));
        self.0.push(Problem { file, line: Some(location.line), key, message: message.into(), inherited_by });
    }

    /// Adds a problem that concerns a whole file.
    pub fn add_file(&mut self, path: &Path, message: impl Into<String>) {
        let file = path.display().to_string().into();
        self.0.push(Problem { file, line: None, key: String::new(), message: message.into(), inherited_by: None });
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Returns the value if there are no problems; otherwise all problems.
    pub fn or_all<T>(mut self, value: Option<T>) -> Result<T, AllProblems> {
        self.0.sort();
        self.0.dedup_by(|a, b| (&a.file, a.line, &a.key, &a.message) == (&b.file, b.line, &b.key, &b.message));
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(AllProblems(self.0)),
        }
    }
}

/// The error for a configuration that can't be used.
#[derive(Debug, thiserror::Error)]
pub struct AllProblems(pub Vec<Problem>);

impl fmt::Display for AllProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() > 1 {
            write!(f, "{} configuration errors", self.0.len())?;
        }
        for (i, problem) in self.0.iter().enumerate() {
            let separator = if i == 0 && self.0.len() == 1 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

/// A broken rule, with the key of its value relative to the table being checked.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {message}")]
pub struct Wrong {
    pub key: String,
    pub message: String,
}

/// Creates an error about a key. `Rules::keep` finds the key's line.
pub fn wrong(key: impl Into<String>, message: impl Into<String>) -> anyhow::Error {
    Wrong { key: key.into(), message: message.into() }.into()
}

/// Joins two parts of a key: `bands` and `[0].limit`, or `late_fee` and `rate`.
pub fn join(section: &str, key: &str) -> String {
    if section.is_empty() || key.is_empty() || key.starts_with('[') {
        return format!("{section}{key}");
    }
    format!("{section}.{key}")
}

/// A key as people read it, without indexes: the line already identifies the item of a list.
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
