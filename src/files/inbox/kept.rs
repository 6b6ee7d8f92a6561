//! Files that stay in an inbox after a feed has taken them, and how they looked then, so that they are not read again.

use std::collections::HashMap;

use crate::files::read::source::Seen;

/// Files that stay, by feed and name, as they were seen.
#[derive(Debug, Default)]
pub struct Kept(HashMap<String, HashMap<String, String>>);

impl Kept {
    pub fn is_loaded(&self, feed: &str) -> bool {
        self.0.contains_key(feed)
    }

    pub fn load(&mut self, feed: &str, files: HashMap<String, String>) {
        self.0.insert(feed.to_owned(), files);
    }

    /// Whether a file is as it was when the feed took it.
    pub fn has(&self, feed: &str, name: &str, seen: &Seen) -> bool {
        self.0.get(feed).and_then(|files| files.get(name)) == Some(&seen.to_text())
    }

    pub fn note(&mut self, feed: &str, name: &str, seen: String) {
        self.0.entry(feed.to_owned()).or_default().insert(name.to_owned(), seen);
    }

    /// Forgets files of a feed that have left the inbox.
    pub fn retain(&mut self, feed: &str, is_there: impl Fn(&str) -> bool) {
        if let Some(files) = self.0.get_mut(feed).filter(|files| !files.is_empty()) {
            files.retain(|name, _| is_there(name));
        }
    }
}
