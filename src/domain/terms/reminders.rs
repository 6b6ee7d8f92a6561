//! When customers are reminded, and with which letters.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::decide::reminders::Template;

/// The ladder of reminders of a policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reminders {
    /// Days around the due date, ascending.
    pub steps: Vec<i64>,
    /// The letters that steps name in place of the usual ones.
    pub letters: BTreeMap<i64, String>,
    /// What customers are told of besides.
    pub events: BTreeSet<Template>,
}
