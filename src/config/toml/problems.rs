//! What is wrong with the files that people write: all of it, each with file, line, key and what to write instead.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Where something is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    pub file: Arc<str>,
    /// The first line is 1.
    pub line: usize,
}

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
    pub fn add(&mut self, location: &Location, key: &str, message: impl Into<String>) {
        self.push(location, key, message, None);
    }

    pub fn push(&mut self, location: &Location, key: &str, message: impl Into<String>, inherited_by: Option<String>) {
        let (file, key) = (location.file.clone(), shown(key));
        self.0.push(Problem { file, line: Some(location.line), key, message: message.into(), inherited_by });
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
            write!(f, "{} configuration errors", self.0.len())?;
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
