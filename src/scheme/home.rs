//! The folder for everything paylater writes, with a method for each folder in it.

use std::path::{Path, PathBuf};

use chrono::NaiveDate;

/// The folder for everything paylater writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home(PathBuf);

impl Home {
    pub fn new(folder: PathBuf) -> Home {
        Home(folder)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The folder for acknowledgements and rejects of a feed's files.
    pub fn outbox(&self, feed: &str) -> PathBuf {
        self.0.join("outbox").join(feed)
    }

    /// The folder for files of a feed that were taken.
    pub fn archive(&self, feed: &str) -> PathBuf {
        self.0.join("archive").join(feed)
    }

    /// The folder for files of a feed that could not be trusted as a whole.
    pub fn quarantine(&self, feed: &str) -> PathBuf {
        self.0.join("quarantine").join(feed)
    }

    /// The folder for rejected rows of a feed that are tried again.
    pub fn retry(&self, feed: &str) -> PathBuf {
        self.0.join("retry").join(feed)
    }

    /// The folder for files fetched from a feed's remote inbox, until they are taken.
    pub fn spool(&self, feed: &str) -> PathBuf {
        self.0.join("spool").join(feed)
    }

    /// The folder for corrections of a merchant's facts that people make at the command line.
    pub fn by_hand(&self, merchant: &str) -> PathBuf {
        self.0.join("by_hand").join(merchant)
    }

    /// The folder for reports of sealed days, with one folder for each day.
    pub fn reconciliation(&self) -> PathBuf {
        self.0.join("reconciliation")
    }

    /// The folder for reports of one sealed day.
    pub fn reports(&self, day: NaiveDate) -> PathBuf {
        self.reconciliation().join(day.to_string())
    }

    /// The folder for mails, when mail is written to a folder.
    pub fn mail(&self) -> PathBuf {
        self.0.join("mail")
    }

    /// The folder for acknowledgements and rejects of a feed that wait to be sent to another place.
    pub fn answers_to_send(&self, feed: &str) -> PathBuf {
        self.0.join("sending").join("acknowledgements").join(feed)
    }

    /// The folder for reports that wait to be sent to another place, with one folder for each day.
    pub fn reports_to_send(&self) -> PathBuf {
        self.0.join("sending").join("reports")
    }
}
