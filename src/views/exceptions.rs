//! Open exceptions, which finance must review.

use anyhow::Result;
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Amount, some};
use crate::books::exceptions::name;
use crate::domain::calendar::{days_between, plus};
use crate::domain::intake::code::ExceptionCode;
use crate::domain::owner::Owner;
use crate::scheme::Scheme;
use crate::store::exceptions::ExceptionRow;
use crate::store::overview::ExceptionFilter;
use crate::store::{Tx, listing, overview};

#[derive(Debug, Serialize, JsonSchema)]
pub struct ExceptionList {
    #[serde(flatten)]
    pub head: ExceptionHead,
    /// The oldest of each merchant first.
    pub exceptions: Vec<Exception>,
    /// Whether there are more than these.
    pub more: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct ExceptionHead {
    /// The open business day, to which `days_open` counts.
    pub business_date: NaiveDate,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Exception {
    /// As in reports: TEA-X12, or scheme-X3 of no merchant.
    pub exception_id: String,
    pub code: ExceptionCode,
    /// Null if it is about the whole scheme.
    pub merchant_id: Option<String>,
    pub order_id: Option<String>,
    /// The file that it is about, or that has the row.
    pub file: Option<String>,
    /// The row's line; null if it is about no row.
    pub line: Option<i64>,
    pub amount: Option<Amount>,
    pub opened_on: NaiveDate,
    pub days_open: i64,
    pub message: String,
}

/// An exception that a person closed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ClosedException {
    pub exception_id: String,
    pub resolved_on: NaiveDate,
    pub reason: String,
    /// What it was about: its code and message.
    pub closed: String,
}

/// The position in the list at which a page of exceptions begins.
#[derive(Debug, Clone)]
pub struct After {
    owner: Owner,
    exception_no: i64,
}

impl After {
    pub const START: After = After { owner: Owner::Scheme, exception_no: i64::MIN };
}

impl Exception {
    /// Returns at most `limit` open exceptions, with a code or with any, and the start of the next page, or `None`
    /// after the last page.
    pub async fn load(
        tx: &mut Tx,
        code: Option<ExceptionCode>,
        after: &After,
        limit: i64,
        today: NaiveDate,
    ) -> Result<Option<(Vec<Exception>, After)>> {
        let page = listing::open_exceptions(tx, code, (after.owner.borrowed(), after.exception_no), limit).await?;
        let Some(last) = page.last() else { return Ok(None) };
        let next = After { owner: last.owner.clone(), exception_no: last.exception_no };
        Ok(Some((page.into_iter().map(|row| Exception::of(row, today)).collect(), next)))
    }

    pub fn of(row: ExceptionRow, today: NaiveDate) -> Exception {
        Exception {
            exception_id: name(&row),
            code: row.code,
            merchant_id: row.owner.merchant().map(str::to_owned),
            order_id: some(row.order_id),
            file: row.file,
            line: Some(row.line).filter(|line| *line > 0),
            amount: Amount::stored(row.amount_minor, row.currency.as_deref()),
            opened_on: row.opened_on,
            days_open: days_between(row.opened_on, today),
            message: row.message,
        }
    }
}

/// The exceptions to list, the oldest first. An empty text matches everything.
#[derive(Debug, Clone, Default)]
pub struct WhichExceptions {
    /// As somebody typed it, so it may be no code.
    pub code: String,
    pub merchant_id: String,
    /// Open for at least so many days.
    pub days: i64,
}

/// The position after which a page of the oldest exceptions begins.
#[derive(Debug, Clone)]
pub struct Oldest {
    pub opened_on: NaiveDate,
    pub merchant_id: String,
    pub number: i64,
}

impl Oldest {
    /// Before the first exception that there can be.
    pub fn first(scheme: &Scheme) -> Oldest {
        Oldest { opened_on: plus(scheme.starts_on, -1), merchant_id: String::new(), number: 0 }
    }
}

impl Exception {
    /// Returns at most `limit` open exceptions after a position, the oldest first, and the position after which there may
    /// be more.
    pub async fn oldest(
        tx: &mut Tx,
        which: &WhichExceptions,
        after: &Oldest,
        limit: i64,
        today: NaiveDate,
    ) -> Result<(Vec<Exception>, Option<Oldest>)> {
        let opened_by = plus(today, -which.days.clamp(0, LONGEST_AGE));
        let filter = ExceptionFilter { code: which.code.clone(), merchant: which.merchant_id.clone(), opened_by };
        let key = (after.opened_on, after.merchant_id.as_str(), after.number);
        let rows = overview::open_exceptions(tx, &filter, key, limit).await?;
        let is_full = i64::try_from(rows.len()).is_ok_and(|count| count == limit);
        let next = rows.last().filter(|_| is_full).map(|row| Oldest {
            opened_on: row.opened_on,
            merchant_id: row.owner.merchant().unwrap_or_default().to_owned(),
            number: row.exception_no,
        });
        Ok((rows.into_iter().map(|row| Exception::of(row, today)).collect(), next))
    }
}

/// The highest age that can be asked for, in days.
const LONGEST_AGE: i64 = 36_500;
