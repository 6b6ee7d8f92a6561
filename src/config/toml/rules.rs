//! The rules that values must keep: each that is broken becomes a problem with the line of its key.

use super::document::Node;
use super::problems::{Problems, Wrong, join, wrong};

/// Goes through the rules of one table and collects what they find, each with its place.
pub struct Rules<'a> {
    table: &'a Node,
    /// The table as its file has it, and its name in messages, where keys may be inherited from elsewhere.
    heir: Option<(&'a Node, String)>,
    problems: &'a mut Problems,
}

impl<'a> Rules<'a> {
    pub fn new(table: &'a Node, problems: &'a mut Problems) -> Rules<'a> {
        Rules { table, heir: None, problems }
    }

    /// Rules of a table some of whose keys are inherited: `own` is the table as its file has it, `heir` how messages name it.
    pub fn of_heir(own: &'a Node, whole: &'a Node, heir: String, problems: &'a mut Problems) -> Rules<'a> {
        Rules { table: whole, heir: Some((own, heir)), problems }
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
        let location = self.table.location_of(&key);
        let elsewhere = |(own, heir): &(&Node, String)| (!own.holds(location)).then(|| heir.clone());
        let inherited_by = self.heir.as_ref().and_then(elsewhere);
        self.problems.push(location, &key, message, inherited_by);
        None
    }
}
