//! The rules for values: each broken rule becomes a problem with the line of its key.

use super::document::Node;
use super::problems::{Problems, Wrong, join, wrong};

/// Checks the rules of one table and collects the problems, each with its location.
pub struct Rules<'a> {
    table: &'a Node,
    /// For a table that may inherit keys: the table as its file has it, and its name in messages.
    heir: Option<(&'a Node, String)>,
    problems: &'a mut Problems,
}

impl<'a> Rules<'a> {
    pub fn new(table: &'a Node, problems: &'a mut Problems) -> Rules<'a> {
        Rules { table, heir: None, problems }
    }

    /// The rules of a table with inherited keys: `own` is the table as its file has it, `heir` its name in messages.
    pub fn of_heir(own: &'a Node, whole: &'a Node, heir: String, problems: &'a mut Problems) -> Rules<'a> {
        Rules { table: whole, heir: Some((own, heir)), problems }
    }

    /// Notes a problem with a key.
    pub fn refuse(&mut self, key: &str, message: impl Into<String>) {
        self.keep(key, Err::<(), _>(wrong("", message)));
    }

    /// Returns the value, or notes the problem. The keys of the error are relative to `section`, which may be empty.
    pub fn keep<T>(&mut self, section: &str, result: anyhow::Result<T>) -> Option<T> {
        let why = match result {
            Ok(value) => return Some(value),
            Err(why) => why,
        };
        let (key, message) = match why.downcast_ref::<Wrong>() {
            Some(wrong) => (join(section, &wrong.key), wrong.message.clone()),
            None => (section.to_owned(), format!("{why:#}")),
        };
        let location = self.table.location_of(&key);
        let elsewhere = |(own, heir): &(&Node, String)| (!own.holds(location)).then(|| heir.clone());
        let inherited_by = self.heir.as_ref().and_then(elsewhere);
        self.problems.push(location, &key, message, inherited_by);
        None
    }
}
