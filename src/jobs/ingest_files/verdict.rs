//! What becomes of a row: its one outcome, and what is kept of it besides its record.

use anyhow::Result;

use super::Chunk;
use crate::domain::money::Currency;
use crate::domain::order::Source;
use crate::files::cell::Rejection;
use crate::files::incoming::{Kind, Parsed, Row};
use crate::files::reader::Line;
use crate::store::Tx;
use crate::store::exceptions::{self, NewException};
use crate::store::inputs::{self, Counts, InputRow};

/// A row's outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Accepted,
    Declined { code: &'static str, message: String },
    Duplicate,
    Conflict { message: String },
    Pending { code: &'static str, message: String },
    Rejected { code: &'static str, message: String },
}

impl Outcome {
    pub fn name(&self) -> &'static str {
        match self {
            Outcome::Accepted => "accepted",
            Outcome::Declined { .. } => "declined",
            Outcome::Duplicate => "duplicate",
            Outcome::Conflict { .. } => "conflict",
            Outcome::Pending { .. } => "pending",
            Outcome::Rejected { .. } => "rejected",
        }
    }

    pub fn code_and_message(&self) -> (&'static str, &str) {
        match self {
            Outcome::Accepted => ("", ""),
            Outcome::Duplicate => ("DUPLICATE", "recorded before with the same content"),
            Outcome::Conflict { message } => ("CONFLICT", message),
            Outcome::Declined { code, message }
            | Outcome::Pending { code, message }
            | Outcome::Rejected { code, message } => (code, message),
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

    /// The outcome of a row whose key is known already, with this content.
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
        Outcome::Rejected { code: rejection.code, message: rejection.message.clone() }
    }
}

/// A row's outcome with the key it is acknowledged under.
#[derive(Debug, Clone)]
pub struct Verdict {
    pub key: String,
    pub outcome: Outcome,
}

impl Verdict {
    /// The verdict on a row that could not be read: rejected, under whatever stands in the key's column.
    pub fn unreadable(kind: Kind, header: &[String], line: &Line, rejection: &Rejection) -> Verdict {
        Verdict { key: short(raw(header, line, kind.key_column())), outcome: Outcome::from(rejection) }
    }
}

fn raw<'a>(header: &[String], line: &'a Line, column: &str) -> &'a str {
    let at = header.iter().position(|name| name == column);
    at.and_then(|i| line.cells.get(i)).unwrap_or_default().trim()
}

/// A key as far as it can be one.
fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}

/// Keeps what is to be kept of the rows that were not simply recorded, and opens the exceptions they make.
pub async fn record(tx: &mut Tx, kind: Kind, chunk: &Chunk<'_>, verdicts: &[Verdict]) -> Result<()> {
    let Chunk { file, lines, today, .. } = *chunk;
    let mut kept = Vec::new();
    let mut opened = Vec::new();
    let mut accepted = Vec::new();
    for (line, verdict) in lines.iter().zip(verdicts) {
        match &verdict.outcome {
            Outcome::Accepted if rejected_code(kind).is_some() => accepted.push(verdict.key.as_str()),
            Outcome::Accepted | Outcome::Duplicate => continue,
            _ => {}
        }
        let row = input_row(chunk, kind, line, verdict);
        opened.extend(exception_about(kind, &verdict.outcome, &row));
        if verdict.outcome != Outcome::Accepted {
            kept.push(row);
        }
    }
    inputs::save_rows(tx, &kept).await?;
    exceptions::open(tx, &file.merchant_id, today, &opened).await?;
    // A row that was rejected before has come again, mended.
    match rejected_code(kind) {
        Some(code) => exceptions::resolve(tx, &file.merchant_id, &[code], &accepted, today).await,
        None => Ok(()),
    }
}

/// The exception that a rejected row of a kind makes: money may have moved without us knowing.
fn rejected_code(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Payments => Some("PAYMENT_REJECTED"),
        Kind::Chargebacks => Some("CHARGEBACK_REJECTED"),
        kind if kind.is_result() => Some("RESULT_REJECTED"),
        _ => None,
    }
}

fn input_row(chunk: &Chunk<'_>, kind: Kind, line: &Line, verdict: &Verdict) -> InputRow {
    let Chunk { file, header, today, .. } = *chunk;
    let (code, message) = verdict.outcome.code_and_message();
    let (order_id, amount) = match &line.parsed {
        Ok(Parsed { row, .. }) => named_order(row),
        Err(_) => (short(raw(header, line, "order_id")), None),
    };
    let pending = matches!(verdict.outcome, Outcome::Pending { .. });
    InputRow {
        file_no: file.file_no,
        line: line.number,
        merchant_id: file.merchant_id.clone(),
        kind: kind.name().to_owned(),
        row_key: verdict.key.clone(),
        order_id,
        outcome: verdict.outcome.name().to_owned(),
        code: code.to_owned(),
        message: message.to_owned(),
        content: if pending { content(header, &line.cells) } else { String::new() },
        fingerprint: line.parsed.as_ref().map_or(0, |parsed| parsed.fingerprint),
        amount_minor: amount.map(|(minor, _)| minor),
        currency: amount.map(|(_, currency)| currency.code().to_owned()),
        opened_on: today,
        resolved_on: None,
    }
}

fn named_order(row: &Row) -> (String, Option<(i64, Currency)>) {
    use crate::domain::order::What;
    match row {
        Row::Customer(_) | Row::Opening(_) => (String::new(), None),
        Row::Result(result) => (result.order_id.clone().unwrap_or_default(), None),
        Row::Order(order) => (order.order_id.clone(), Some((order.amount_minor, order.currency))),
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

/// The cells as a JSON object by column, so that the row can be read again.
fn content(header: &[String], cells: &csv::StringRecord) -> String {
    let by_column: std::collections::BTreeMap<&str, &str> =
        header.iter().map(String::as_str).zip(cells.iter()).collect();
    serde_json::to_string(&by_column).expect("strings always make JSON")
}

/// What finance must look at: contradictions, money without its order, and money that could not be read.
fn exception_about(kind: Kind, outcome: &Outcome, row: &InputRow) -> Option<NewException> {
    let code = match outcome {
        Outcome::Conflict { .. } => "CONFLICT",
        Outcome::Pending { code, .. } if kind.is_money() => code,
        Outcome::Rejected { .. } => rejected_code(kind)?,
        _ => return None,
    };
    Some(NewException {
        code: code.to_owned(),
        row_key: row.row_key.clone(),
        order_id: row.order_id.clone(),
        source: Source { file_no: row.file_no, line: row.line },
        amount_minor: row.amount_minor,
        currency: row.currency.clone(),
        message: row.message.clone(),
    })
}
