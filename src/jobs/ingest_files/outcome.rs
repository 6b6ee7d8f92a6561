//! A row's outcome, and the row and exceptions that are recorded with it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use anyhow::Result;
use chrono::NaiveDate;
use chrono_tz::Tz;

use super::chunk::Chunk;
use crate::domain::calendar::day_of;
use crate::domain::facts::source::Source;
use crate::domain::intake::code::{ExceptionCode, RowCode};
use crate::domain::intake::status::RowOutcome;
use crate::domain::money::Currency;
use crate::domain::owner::Owner;
use crate::files::read::reader::Line;
use crate::files::rows::cell::Rejection;
use crate::files::rows::{Kind, Parsed, Row, bills};
use crate::store::Tx;
use crate::store::exceptions::{self, NewException};
use crate::store::file_rows::{self, RecordedRow};
use crate::store::files::Counts;

/// A row's outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Accepted,
    Declined { code: RowCode, message: String },
    Duplicate,
    Conflict { message: String },
    Pending { code: RowCode, message: String },
    Rejected { code: RowCode, message: String },
}

impl Outcome {
    /// Returns the outcome without its code and message.
    pub fn kind(&self) -> RowOutcome {
        match self {
            Outcome::Accepted => RowOutcome::Accepted,
            Outcome::Declined { .. } => RowOutcome::Declined,
            Outcome::Duplicate => RowOutcome::Duplicate,
            Outcome::Conflict { .. } => RowOutcome::Conflict,
            Outcome::Pending { .. } => RowOutcome::Pending,
            Outcome::Rejected { .. } => RowOutcome::Rejected,
        }
    }

    pub fn code_and_message(&self) -> (Option<RowCode>, &str) {
        match self {
            Outcome::Accepted => (None, ""),
            Outcome::Duplicate => (Some(RowCode::Duplicate), "recorded before with the same content"),
            Outcome::Conflict { message } => (Some(RowCode::Conflict), message),
            Outcome::Declined { code, message }
            | Outcome::Pending { code, message }
            | Outcome::Rejected { code, message } => (Some(*code), message),
        }
    }

    pub fn count(&self, counts: &mut Counts) {
        counts.rows += 1;
        match self {
            Outcome::Accepted => counts.accepted += 1,
            Outcome::Declined { .. } => counts.declined += 1,
            Outcome::Duplicate => counts.duplicate += 1,
            Outcome::Conflict { .. } => counts.conflict += 1,
            Outcome::Pending { .. } => counts.pending += 1,
            Outcome::Rejected { .. } => counts.rejected += 1,
        }
    }

    /// Returns the outcome of a row about an order whose version of the policy is no longer in the policy file.
    pub fn of_lost_version(version: NaiveDate, order_id: &str) -> Outcome {
        let message = format!(
            "order {order_id} was accepted under version {version} of the policy, which is no longer in the policy file; put \
             that version back"
        );
        Outcome::Rejected { code: RowCode::NoPolicy, message }
    }

    /// Returns the outcome of a row whose key is already recorded with the fingerprint `known`.
    pub fn of_known(known: i64, fingerprint: i64, what: &str, key: &str) -> Outcome {
        if known == fingerprint {
            return Outcome::Duplicate;
        }
        let message = format!("{what} {key} was recorded before with other content; nothing was changed");
        Outcome::Conflict { message }
    }
}

impl From<&Rejection> for Outcome {
    fn from(rejection: &Rejection) -> Outcome {
        let (code, message) = (rejection.code, rejection.message.clone());
        if code.has_nothing_to_record() {
            Outcome::Declined { code, message }
        } else {
            Outcome::Rejected { code, message }
        }
    }
}

/// Returns the key that a row is acknowledged under. For an unreadable row, this is the text in the key's column.
pub fn key<'l>(chunk: &Chunk<'_>, line: &'l Line) -> Cow<'l, str> {
    if let Ok(parsed) = &line.parsed {
        return Cow::Borrowed(parsed.row.key());
    }
    let (_, key_column) = reported_by(chunk, line);
    // If a customer row lacks a cell, its key column may contain a name.
    let may_be_a_name = chunk.kind == Kind::Customers && line.cells.len() != chunk.header.len();
    Cow::Owned(if may_be_a_name { String::new() } else { short(raw(chunk.header, line, key_column)) })
}

/// Returns the kind of fact that a row reports, and its key column. A bill's row reports a payment or a refund.
fn reported_by(chunk: &Chunk<'_>, line: &Line) -> (Kind, &'static str) {
    match chunk.kind {
        Kind::Bills => bills::about(|column| raw(chunk.header, line, column)),
        kind => (kind, kind.key_column()),
    }
}

pub(super) fn raw<'a>(header: &[String], line: &'a Line, column: &str) -> &'a str {
    let at = header.iter().position(|name| name == column);
    at.and_then(|i| line.canonical().get(i)).unwrap_or_default().trim()
}

/// Returns the first 64 characters of a text, without control characters.
fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}

/// What is stored for a chunk's rows beyond the plain records: rows that were not simply accepted, the exceptions that
/// they open, and the exceptions that are resolved.
pub struct Noted {
    rows: Vec<RecordedRow>,
    opened: Vec<NewException>,
    /// The keys of rows that were rejected before and are accepted now, by the code of their exception.
    accepted_now: BTreeMap<ExceptionCode, Vec<String>>,
}

impl Noted {
    pub fn of(chunk: &Chunk<'_>, outcomes: &[Outcome]) -> Noted {
        let kind = chunk.kind;
        let mut noted = Noted { rows: Vec::new(), opened: Vec::new(), accepted_now: BTreeMap::new() };
        for (line, outcome) in chunk.lines.iter().zip(outcomes) {
            let (of, _) = reported_by(chunk, line);
            // A row of a bill may already be recorded from another source.
            let is_known = *outcome == Outcome::Duplicate && kind == Kind::Bills;
            if let Some(code) = rejected_code(kind, of).filter(|_| is_known || *outcome == Outcome::Accepted) {
                noted.accepted_now.entry(code).or_default().push(key(chunk, line).into_owned());
            }
            if matches!(outcome, Outcome::Accepted | Outcome::Duplicate) {
                continue;
            }
            let row = input_row(chunk, of, line, outcome);
            noted.opened.extend(exception_about(kind, of, outcome, &row));
            noted.rows.push(row);
        }
        noted
    }

    pub async fn write(&self, tx: &mut Tx, owner: Owner<&str>, today: NaiveDate) -> Result<()> {
        file_rows::add(tx, &self.rows).await?;
        exceptions::open(tx, owner, today, &self.opened).await?;
        for (code, keys) in &self.accepted_now {
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            exceptions::resolve(tx, owner, &[*code], &keys, today).await?;
        }
        Ok(())
    }
}

/// Returns the code of the exception that a rejected row opens, by the file's kind and the kind of fact it reports:
/// money may have moved without being recorded.
pub fn rejected_code(kind: Kind, of: Kind) -> Option<ExceptionCode> {
    match of {
        Kind::Payments => Some(ExceptionCode::PaymentRejected),
        Kind::Refunds if kind == Kind::Bills => Some(ExceptionCode::RefundRejected),
        Kind::Chargebacks => Some(ExceptionCode::ChargebackRejected),
        Kind::DebitResults | Kind::PayoutResults => Some(ExceptionCode::ResultRejected),
        Kind::Customers
        | Kind::Agreements
        | Kind::Orders
        | Kind::Fulfilments
        | Kind::Holds
        | Kind::Extensions
        | Kind::Refunds
        | Kind::Bills
        | Kind::Waivers
        | Kind::Corrections
        | Kind::DeliveryFailures => None,
    }
}

fn input_row(chunk: &Chunk<'_>, of: Kind, line: &Line, outcome: &Outcome) -> RecordedRow {
    let Chunk { file, header, today, zone, .. } = *chunk;
    let (code, message) = outcome.code_and_message();
    let (order_id, amount) = match &line.parsed {
        Ok(Parsed { row, .. }) => named_order(row),
        Err(_) => (short(raw(header, line, "order_id")), None),
    };
    let pending = matches!(outcome, Outcome::Pending { .. });
    RecordedRow {
        file_no: file.file_no,
        line: line.number,
        owner: file.owner.clone(),
        kind: of,
        row_key: key(chunk, line).into_owned(),
        order_id,
        outcome: outcome.kind(),
        code,
        message: message.to_owned(),
        content: if pending { content(header, line) } else { String::new() },
        fingerprint: line.parsed.as_ref().map_or(0, |parsed| parsed.fingerprint),
        amount_minor: amount.map(|(minor, _)| minor),
        currency: amount.map(|(_, currency)| currency.code().to_owned()),
        opened_on: today,
        resolved_on: None,
        effective_on: line.parsed.as_ref().ok().and_then(|parsed| day_of_money(&parsed.row, zone)),
        suspended_on: None,
        released_on: None,
    }
}

/// Returns the day on which a row's money takes effect. Without the order, no cut-off is known, so none is applied.
fn day_of_money(row: &Row, zone: Tz) -> Option<NaiveDate> {
    use crate::domain::facts::fact::What;
    let fact = match row {
        Row::Bill(bill) => &bill.fact,
        Row::Fact(fact) => fact,
        _ => return None,
    };
    let is_money = matches!(fact.what, What::Payment { .. } | What::Refund { .. } | What::Chargeback { .. });
    (is_money && fact.currency.is_some()).then(|| day_of(fact.effective_at, zone, None))
}

fn named_order(row: &Row) -> (String, Option<(i64, Currency)>) {
    use crate::domain::facts::fact::What;
    match row {
        Row::Customer(_) | Row::Opening(_) | Row::Correction(_) | Row::DeliveryFailure(_) => (String::new(), None),
        Row::Result(result) => (result.order_id.clone().unwrap_or_default(), None),
        Row::Order(order) => (order.order_id.clone(), Some((order.amount_minor, order.currency))),
        Row::Bill(bill) => (bill.fact.order_id.clone(), Some((bill.minor, bill.currency))),
        Row::Fact(fact) => {
            let minor = match fact.what {
                What::Payment { minor, .. }
                | What::Refund { minor, .. }
                | What::Chargeback { minor, .. }
                | What::Waiver { minor } => Some(minor),
                _ => None,
            };
            (fact.order_id.clone(), minor.zip(fact.currency))
        }
    }
}

/// Returns the cells as a JSON object by column, so that the row can be parsed again.
fn content(header: &[String], line: &Line) -> String {
    if let Ok(Parsed { row: Row::Bill(bill), .. }) = &line.parsed {
        return serde_json::to_string(&bill.own_cells()).expect("strings always make JSON");
    }
    let by_column: BTreeMap<&str, &str> = header.iter().map(String::as_str).zip(line.canonical().iter()).collect();
    serde_json::to_string(&by_column).expect("strings always make JSON")
}

/// Returns the exception that a row opens for finance, if any: conflicts, money without its order, and money that could
/// not be read.
pub fn exception_about(kind: Kind, of: Kind, outcome: &Outcome, row: &RecordedRow) -> Option<NewException> {
    let code = match outcome {
        Outcome::Conflict { .. } => RowCode::Conflict.into(),
        Outcome::Pending { code, .. } if kind.is_money() => (*code).into(),
        Outcome::Rejected { .. } => rejected_code(kind, of)?,
        // The provider has given the money back regardless. Rows that a profile sets aside need no review.
        Outcome::Declined { code, .. } if kind == Kind::Bills && *code != RowCode::SetAside => rejected_code(kind, of)?,
        // The order was settled in a way that has not been reported.
        Outcome::Declined { code: RowCode::NoAmount, .. } => rejected_code(kind, of)?,
        Outcome::Accepted | Outcome::Declined { .. } | Outcome::Duplicate | Outcome::Pending { .. } => return None,
    };
    Some(NewException {
        code,
        row_key: row.row_key.clone(),
        order_id: row.order_id.clone(),
        source: Source { file_no: row.file_no, line: row.line },
        amount_minor: row.amount_minor,
        currency: row.currency.clone(),
        message: row.message.clone(),
    })
}
