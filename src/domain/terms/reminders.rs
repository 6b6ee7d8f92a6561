//! When customers are reminded, and with which letters.

use std::collections::BTreeMap;

/// The ladder of reminders of a policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reminders {
    /// Days around the due date, ascending.
    pub steps: Vec<i64>,
    /// The letters that steps name in place of the usual ones.
    pub letters: BTreeMap<i64, String>,
}
