//! The folder for everything paylater makes, with a name for each folder in it.

use std::path::{Path, PathBuf};

use chrono::NaiveDate;

/// Where everything paylater makes is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home(PathBuf);

impl Home {
    pub fn new(folder: PathBuf) -> Home {
        Home(folder)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The file that is locked while somebody works here.
    pub fn lock_file(&self) -> PathBuf {
        self.0.join("paylater.lock")
    }

    /// Acknowledgements and rejects of a feed's files.
    pub fn outbox(&self, feed: &str) -> PathBuf {
        self.0.join("outbox").join(feed)
    }

    /// Files of a feed that were taken.
    pub fn archive(&self, feed: &str) -> PathBuf {
        self.0.join("archive").join(feed)
    }

    /// Files of a feed that could not be trusted as a whole.
    pub fn quarantine(&self, feed: &str) -> PathBuf {
        self.0.join("quarantine").join(feed)
    }

    /// Rejected rows of a feed that are tried again.
    pub fn retry(&self, feed: &str) -> PathBuf {
        self.0.join("retry").join(feed)
    }

    /// Files that were fetched from a feed's remote inbox, until they are taken.
    pub fn spool(&self, feed: &str) -> PathBuf {
        self.0.join("spool").join(feed)
    }

    /// Corrections of a merchant's facts that people make at the command line.
    pub fn by_hand(&self, merchant: &str) -> PathBuf {
        self.0.join("by_hand").join(merchant)
    }

    /// The sealed days' reports, a folder each.
    pub fn reconciliation(&self) -> PathBuf {
        self.0.join("reconciliation")
    }

    /// The reports of a sealed day.
    pub fn reports(&self, day: NaiveDate) -> PathBuf {
        self.reconciliation().join(day.to_string())
    }

    /// Mails, where they go into a folder.
    pub fn mail(&self) -> PathBuf {
        self.0.join("mail")
    }

    /// Acknowledgements and rejects of a feed that wait to be sent elsewhere.
    pub fn answers_to_send(&self, feed: &str) -> PathBuf {
        self.0.join("sending").join("acknowledgements").join(feed)
    }

    /// Reports that wait to be sent elsewhere, a folder a day.
    pub fn reports_to_send(&self) -> PathBuf {
        self.0.join("sending").join("reports")
    }
}
