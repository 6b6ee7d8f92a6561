//! What customers have yet to pay: by delinquency bucket and by due date, and the instalments behind each sum.
//!
//! The sums read every unpaid instalment, so they are computed apart from any page ([`Unpaid::load`]) and kept. The lists
//! are read by index, a page at a time.

use std::collections::BTreeMap;

use anyhow::Result;
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;

use super::Amount;
use crate::books::environment::Environment;
use crate::domain::calendar::{days_between, plus};
use crate::domain::decide::buckets::bucket;
use crate::store::overview::{self, UnpaidOnDay, UnpaidRow};
use crate::store::{Tx, scheme};

/// What was unpaid when the open day began, and by which day it is due.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Unpaid {
    /// The open business day.
    pub business_date: NaiveDate,
    /// By merchant, currency and bucket.
    pub buckets: Vec<BucketSum>,
    /// By merchant, currency and due date, for due dates from the open day on.
    pub due: Vec<DueSum>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct BucketSum {
    pub merchant_id: String,
    /// As in the positions report: current, 1-7, 8-30, …
    pub bucket: String,
    pub instalments: i64,
    pub outstanding: Amount,
    /// The first and last due date of these instalments.
    pub due: (NaiveDate, NaiveDate),
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DueSum {
    pub merchant_id: String,
    pub due_on: NaiveDate,
    pub instalments: i64,
    pub outstanding: Amount,
}

/// An unpaid instalment in a list.
#[derive(Debug, Serialize, JsonSchema)]
pub struct UnpaidInstalment {
    pub merchant_id: String,
    pub order_id: String,
    pub instalment: i64,
    pub customer_id: String,
    pub due_on: NaiveDate,
    pub outstanding: Amount,
    pub late_fee_open: Amount,
    pub days_past_due: i64,
    pub bucket: String,
    pub credit_status: String,
}

/// The instalments to list.
#[derive(Debug, Clone)]
pub struct Which {
    pub merchant_id: String,
    pub from: NaiveDate,
    pub to: NaiveDate,
    /// Only those in this bucket; empty for all.
    pub bucket: String,
}

/// Where a page of instalments begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct After {
    pub due_on: NaiveDate,
    pub order_id: String,
    pub instalment: i64,
}

/// How many instalments are read for a page at most. In a list of one bucket nearly all of them match.
const READ: i64 = 1_000;

impl Unpaid {
    pub async fn load(tx: &mut Tx, environment: &Environment) -> Result<Unpaid> {
        let business_date = scheme::days(tx).await?.map_or(environment.scheme.starts_on, |days| days.business_date);
        let as_of = plus(business_date, -1);
        let mut unpaid = Unpaid { business_date, buckets: Vec::new(), due: Vec::new() };
        for merchant in &environment.scheme.merchants {
            let rows = overview::unpaid_by_due_date(tx, &merchant.id).await?;
            unpaid.add(&merchant.id, &rows, as_of, &environment.scheme.buckets);
        }
        Ok(unpaid)
    }

    fn add(&mut self, merchant_id: &str, rows: &[UnpaidOnDay], as_of: NaiveDate, starts: &[i64]) {
        type Sum = (i64, i64, NaiveDate, NaiveDate);
        let mut buckets: BTreeMap<(&str, i64), Sum> = BTreeMap::new();
        let mut due: BTreeMap<(&str, NaiveDate), (i64, i64)> = BTreeMap::new();
        for row in rows {
            let days = days_past_due(row.days_past_due, row.due_on, row.decided_on, as_of);
            let start = starts.iter().copied().rfind(|start| *start <= days).unwrap_or(0);
            let sum = buckets.entry((&row.currency, start)).or_insert((0, 0, row.due_on, row.due_on));
            *sum =
                (sum.0 + row.instalments, sum.1 + row.outstanding_minor, sum.2.min(row.due_on), sum.3.max(row.due_on));
            if row.due_on > as_of {
                let sum = due.entry((&row.currency, row.due_on)).or_default();
                *sum = (sum.0 + row.instalments, sum.1 + row.outstanding_minor);
            }
        }
        for ((currency, start), (instalments, minor, first, last)) in buckets {
            let Some(outstanding) = Amount::stored(Some(minor), Some(currency)) else { continue };
            let (merchant_id, bucket) = (merchant_id.to_owned(), bucket(start, starts));
            self.buckets.push(BucketSum { merchant_id, bucket, instalments, outstanding, due: (first, last) });
        }
        for ((currency, due_on), (instalments, minor)) in due {
            let Some(outstanding) = Amount::stored(Some(minor), Some(currency)) else { continue };
            self.due.push(DueSum { merchant_id: merchant_id.to_owned(), due_on, instalments, outstanding });
        }
    }
}

impl UnpaidInstalment {
    /// Returns at most `limit` instalments after a position, and the position after which there may be more.
    pub async fn load(
        tx: &mut Tx,
        environment: &Environment,
        which: &Which,
        after: &After,
        limit: usize,
    ) -> Result<(Vec<UnpaidInstalment>, Option<After>)> {
        let business_date = scheme::days(tx).await?.map_or(environment.scheme.starts_on, |days| days.business_date);
        let as_of = plus(business_date, -1);
        let key = (after.due_on, after.order_id.as_str(), after.instalment);
        let rows = overview::unpaid(tx, &which.merchant_id, (which.from, which.to), key, READ).await?;
        let is_last_page = i64::try_from(rows.len()).unwrap_or(READ) < READ;
        let (mut listed, mut last) = (Vec::new(), None);
        for row in rows {
            let position = After { due_on: row.due_on, order_id: row.order_id.clone(), instalment: row.instalment };
            if let Some(row) = UnpaidInstalment::of(row, &which.merchant_id, as_of, &environment.scheme.buckets)
                && (which.bucket.is_empty() || row.bucket == which.bucket)
            {
                if listed.len() == limit {
                    return Ok((listed, last));
                }
                listed.push(row);
            }
            last = Some(position);
        }
        Ok((listed, last.filter(|_| !is_last_page)))
    }

    fn of(row: UnpaidRow, merchant_id: &str, as_of: NaiveDate, starts: &[i64]) -> Option<UnpaidInstalment> {
        let days_past_due = days_past_due(row.days_past_due, row.due_on, row.decided_on, as_of);
        let amount = |minor| Amount::stored(Some(minor), Some(&row.currency));
        Some(UnpaidInstalment {
            merchant_id: merchant_id.to_owned(),
            outstanding: amount(row.outstanding_minor)?,
            late_fee_open: amount(row.late_fee_open_minor)?,
            order_id: row.order_id,
            instalment: row.instalment,
            customer_id: row.customer_id,
            due_on: row.due_on,
            days_past_due,
            bucket: bucket(days_past_due, starts),
            credit_status: row.credit_status,
        })
    }
}

impl After {
    /// Before the first of a list that begins with a day.
    pub fn start(from: NaiveDate) -> After {
        After { due_on: from, order_id: String::new(), instalment: 0 }
    }
}

/// The days past due at the end of a day, as [`Position::days_past_due_on`] counts them.
///
/// [`Position::days_past_due_on`]: crate::domain::decide::position::Position::days_past_due_on
fn days_past_due(recorded: i64, due_on: NaiveDate, decided_on: NaiveDate, day: NaiveDate) -> i64 {
    recorded + days_between(due_on.max(decided_on), day).max(0)
}
