//! The jobs, one file each. A job has the same name in `jobs/`, on the command line, in logs and in the store. It works
//! for one slice at a time, a merchant or the scheme: it loads what may change today, decides, and records the difference.
//! It can run again at any time, and then finds nothing to do.

pub mod assess_positions;
pub mod close_day;
pub mod collect_debits;
pub mod ingest_files;
pub mod match_bills;
pub mod pay_out_credit;
pub mod send_reminders;
pub mod watch_feeds;
pub mod write_reconciliation;

use anyhow::{Result, ensure};

use crate::scheme::{Scheme, Slice, is_part_of_close};
use crate::store::Lane;

/// A job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Job {
    IngestFiles,
    WatchFeeds,
    AssessPositions,
    SendReminders,
    CollectDebits,
    PayOutCredit,
    MatchBills,
    CloseDay,
    WriteReconciliation,
}

impl Job {
    pub const ALL: [Job; 9] = [
        Job::IngestFiles,
        Job::WatchFeeds,
        Job::AssessPositions,
        Job::SendReminders,
        Job::CollectDebits,
        Job::PayOutCredit,
        Job::MatchBills,
        Job::CloseDay,
        Job::WriteReconciliation,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Job::IngestFiles => "ingest_files",
            Job::WatchFeeds => "watch_feeds",
            Job::AssessPositions => "assess_positions",
            Job::SendReminders => "send_reminders",
            Job::CollectDebits => "collect_debits",
            Job::PayOutCredit => "pay_out_credit",
            Job::MatchBills => "match_bills",
            Job::CloseDay => "close_day",
            Job::WriteReconciliation => "write_reconciliation",
        }
    }

    pub fn parse(name: &str) -> Option<Job> {
        Job::ALL.into_iter().find(|job| job.name() == name)
    }

    /// The lane in which the job works.
    pub fn lane(self) -> Lane {
        match self {
            Job::SendReminders => Lane::Mail,
            Job::IngestFiles
            | Job::WatchFeeds
            | Job::AssessPositions
            | Job::CollectDebits
            | Job::PayOutCredit
            | Job::MatchBills
            | Job::CloseDay
            | Job::WriteReconciliation => Lane::Books,
        }
    }

    /// Returns the slices that the job's work is cut into, in the order in which they are done.
    pub fn slices(self, scheme: &Scheme) -> Vec<Slice<'_>> {
        match self {
            Job::IngestFiles | Job::WatchFeeds => scheme.slices(),
            Job::AssessPositions | Job::CollectDebits | Job::PayOutCredit | Job::MatchBills => scheme.merchant_slices(),
            // A customer gets one mail a day about the orders at all merchants, and a day has one seal and one folder of
            // reports. Within them, merchants are kept apart: one that fails is left out.
            Job::SendReminders | Job::CloseDay | Job::WriteReconciliation => vec![Slice::Scheme],
        }
    }

    /// Fails if the job has no work in a slice, and says why.
    pub fn ensure_has(self, slice: Slice<'_>) -> Result<()> {
        let is_of_merchant = slice.merchant().is_some();
        let name = self.name();
        match self {
            Job::IngestFiles | Job::WatchFeeds => {}
            Job::AssessPositions | Job::CollectDebits | Job::PayOutCredit | Job::MatchBills => {
                ensure!(is_of_merchant, "{name} works on the orders of a merchant, and the scheme has none");
            }
            Job::SendReminders => ensure!(
                !is_of_merchant,
                "{name} works for the whole scheme: a customer gets one mail a day, whichever merchants it is about"
            ),
            Job::CloseDay | Job::WriteReconciliation => ensure!(
                !is_of_merchant,
                "{name} works for the whole scheme: a day has one seal and one folder of reports"
            ),
        }
        Ok(())
    }

    /// Whether the job is part of the close and never runs alone.
    pub fn is_part_of_close(self) -> bool {
        is_part_of_close(self.name())
    }
}
