//! The view of `close`: totals of the days that it closed.

use std::collections::BTreeMap;

use anyhow::Result;
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;

use super::files::RowCounts;
use super::{Amount, Tally, by_name};
use crate::books::environment::Environment;
use crate::domain::decide::credit_record::CreditStatus;
use crate::domain::intake::code::ExceptionCode;
use crate::store::files::Counts;
use crate::store::mails::MailStatus;
use crate::store::{Tx, credit_record, exceptions, files, journal, mails, scheme};

#[derive(Debug, Serialize, JsonSchema)]
pub struct ClosedDays {
    /// The open business day, after the close.
    pub business_date: NaiveDate,
    /// How many days were closed; with 0, every day asked for was closed before.
    pub days: i64,
    pub first: Option<NaiveDate>,
    pub last: Option<NaiveDate>,
    /// Files of the closed days by status.
    pub files: Tally,
    pub rows: RowCounts,
    /// Rows by kind of file.
    pub rows_by_kind: BTreeMap<String, RowCounts>,
    /// Late fees charged less those taken back, in each currency.
    pub late_fees: Vec<Amount>,
    /// Steps of the credit record by status.
    pub credit_steps: Tally,
    /// Mails by status.
    pub mails: Tally,
    /// All open exceptions by code.
    pub open_exceptions: Tally,
    /// The folder with a folder of reports for each day.
    pub reconciliation: String,
    /// An order of the closed days that shows much when it is explained.
    pub example: Option<OrderName>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OrderName {
    pub merchant_id: String,
    pub order_id: String,
}

impl ClosedDays {
    /// Loads the totals of the closed days. `days` is in order and can be empty.
    pub async fn load(tx: &mut Tx, environment: &Environment, days: &[NaiveDate]) -> Result<ClosedDays> {
        let open = scheme::days(tx).await?.map_or(environment.scheme.starts_on, |days| days.business_date);
        let mut closed = ClosedDays {
            business_date: open,
            days: i64::try_from(days.len()).unwrap_or(i64::MAX),
            first: days.first().copied(),
            last: days.last().copied(),
            files: Tally::new(),
            rows: RowCounts::default(),
            rows_by_kind: BTreeMap::new(),
            late_fees: Vec::new(),
            credit_steps: Tally::new(),
            mails: Tally::new(),
            open_exceptions: by_name(exceptions::count_open(tx).await?, ExceptionCode::name),
            reconciliation: environment.scheme.home.reconciliation().display().to_string(),
            example: None,
        };
        let (Some(first), Some(last)) = (closed.first, closed.last) else { return Ok(closed) };
        let mut by_kind: BTreeMap<&str, Counts> = BTreeMap::new();
        for file in files::between(tx, first, last).await? {
            *closed.files.entry(file.status.name().to_owned()).or_default() += 1;
            by_kind.entry(file.kind.name()).or_default().add(&file.counts);
        }
        let mut all = Counts::default();
        by_kind.values().for_each(|counts| all.add(counts));
        closed.rows = all.into();
        closed.rows_by_kind = by_kind.into_iter().map(|(kind, counts)| (kind.to_owned(), counts.into())).collect();
        let happened = scheme::happened(tx, first, last).await?;
        let fees = happened.late_fees.into_iter().filter(|(_, minor)| *minor != 0);
        closed.late_fees = fees.map(|(currency, minor)| Amount::new(minor, currency)).collect();
        closed.credit_steps = by_name(happened.credit_steps, CreditStatus::name);
        closed.mails = by_name(mails::counts(tx, first, last).await?, MailStatus::name);
        closed.example = example(tx, environment, first, last).await?;
        Ok(closed)
    }
}

/// Returns the order with the latest step of the credit record or, if there is none, the first order with a journal
/// entry.
async fn example(
    tx: &mut Tx,
    environment: &Environment,
    first: NaiveDate,
    last: NaiveDate,
) -> Result<Option<OrderName>> {
    if let Some((merchant_id, order_id)) = credit_record::latest(tx, first, last).await? {
        return Ok(Some(OrderName { merchant_id, order_id }));
    }
    for merchant in &environment.scheme.merchants {
        let before = scheme::last_entry_by(tx, &merchant.id, first.pred_opt().unwrap_or(first)).await?;
        if let Some(order_id) = journal::first_order_after(tx, &merchant.id, before).await? {
            return Ok(Some(OrderName { merchant_id: merchant.id.clone(), order_id }));
        }
    }
    Ok(None)
}
