//! Runs a job slice by slice. What goes wrong for one merchant stops no other: it is kept, and the run fails at the end with all
//! of it. Errors of the store concern everybody and end the run.

use std::fmt;

use anyhow::{Error, Result};
use chrono::NaiveDate;
use tracing::Instrument;

use crate::books::done::Done;
use crate::books::environment::Stopped;
use crate::books::proof::{BrokenBooks, Faults};
use crate::books::remote::Undelivered;
use crate::jobs::ingest_files::{InboxesUnseen, RowsRejected};
use crate::scheme::Slice;

/// Does the work of every slice, except those of merchants that are left out already. A merchant whose work fails is added to
/// the faults.
pub async fn each<'s>(
    slices: &[Slice<'s>],
    faults: &mut Faults,
    mut work: impl AsyncFnMut(Slice<'s>) -> Result<Done>,
) -> Result<Done> {
    let (mut all, mut shortcomings) = (Done::default(), Shortcomings::default());
    for slice in slices {
        if slice.merchant().is_some_and(|merchant| faults.is_stopped(&merchant.id)) {
            continue;
        }
        let merchant = slice.merchant().map_or("", |merchant| merchant.id.as_str());
        match work(*slice).instrument(tracing::debug_span!("slice", merchant)).await {
            Ok(done) => all.add(done),
            Err(why) => shortcomings.take(*slice, why, faults)?,
        }
    }
    if shortcomings.is_none() { Ok(all) } else { Err(shortcomings.into()) }
}

/// Days were closed, but not all is well.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ClosedBut(String);

/// What went wrong in a run although the rest of its work was done.
#[derive(Debug, Default, thiserror::Error)]
pub struct Shortcomings {
    /// Inboxes that could not be looked into. No day is closed before they can be.
    unseen: Vec<String>,
    /// The work of merchants that failed.
    failed: Vec<String>,
    /// Days that were sealed without all merchants.
    incomplete: Vec<String>,
    unsent: Vec<String>,
    rejected: Vec<String>,
}

impl Shortcomings {
    fn take(&mut self, slice: Slice<'_>, why: Error, faults: &mut Faults) -> Result<()> {
        if why.is::<Stopped>() {
            return Err(why);
        }
        let lines = if why.is::<InboxesUnseen>() {
            &mut self.unseen
        } else if why.is::<Undelivered>() {
            &mut self.unsent
        } else if why.is::<RowsRejected>() {
            &mut self.rejected
        } else if is_sealed_without_some(&why) {
            &mut self.incomplete
        } else {
            let Slice::Merchant(merchant) = slice else { return Err(why) };
            self.failed.push(faults.stop(&merchant.id, why)?);
            return Ok(());
        };
        lines.push(format!("{why:#}"));
        Ok(())
    }

    /// Adds the error of a run of which the day does not have to wait; returns any other.
    pub fn add(&mut self, why: Error) -> Result<()> {
        let more: Shortcomings = why.downcast()?;
        if !more.unseen.is_empty() {
            return Err(more.into());
        }
        let Shortcomings { unseen: _, failed, incomplete, unsent, rejected } = more;
        for (lines, more) in [
            (&mut self.failed, failed),
            (&mut self.incomplete, incomplete),
            (&mut self.unsent, unsent),
            (&mut self.rejected, rejected),
        ] {
            for line in more {
                // An unreachable place is unreachable on every day, so it is listed once.
                if !lines.contains(&line) {
                    lines.push(line);
                }
            }
        }
        Ok(())
    }

    fn is_none(&self) -> bool {
        let Shortcomings { unseen, failed, incomplete, unsent, rejected } = self;
        [unseen, failed, incomplete, unsent, rejected].into_iter().all(Vec::is_empty)
    }

    /// Fails if anything went wrong on the days up to the last one that was closed.
    pub fn ensure_none(&self, last: NaiveDate) -> Result<()> {
        let kinds = [
            (&self.failed, "not all was done for some merchants"),
            (&self.incomplete, "without some merchants' books"),
            (&self.unsent, "not all was sent"),
            (&self.rejected, "rows were rejected"),
        ];
        let said: Vec<String> = kinds
            .into_iter()
            .filter(|(lines, _)| !lines.is_empty())
            .map(|(lines, but)| format!("every day through {last} is closed, but {but}:\n{}", lines.join("\n")))
            .collect();
        if said.is_empty() { Ok(()) } else { Err(ClosedBut(said.join("\n")).into()) }
    }

    /// Whether a repeated run would find nothing to do, and hide what went wrong.
    pub fn is_final(&self) -> bool {
        self.unseen.is_empty()
    }
}

impl fmt::Display for Shortcomings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shortcomings { unseen, failed, incomplete, unsent, rejected } = self;
        let mut lines = unseen.clone();
        if !unseen.is_empty() {
            lines.push(
                "files from the other inboxes were taken; no day is closed until every inbox can be read".to_owned(),
            );
        }
        lines.extend([failed, incomplete, unsent, rejected].into_iter().flatten().cloned());
        f.write_str(&lines.join("\n"))
    }
}

/// Whether a day was sealed without merchants whose books do not add up. This does not delay other merchants.
fn is_sealed_without_some(why: &Error) -> bool {
    why.downcast_ref::<BrokenBooks>().is_some_and(|broken| broken.is_sealed)
}
