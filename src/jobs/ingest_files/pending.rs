//! Rows that came before their order. They wait, and are tried again when the order comes.

use std::collections::hash_map::Entry as Slot;
use std::collections::{BTreeMap, HashMap};

use anyhow::Result;
use chrono::NaiveDate;

use super::fact_intake::FactIntake;
use super::outcome::{Outcome, exception_about, rejected_code};
use super::refused_column::with_kept_column;
use super::waiting_rows::{WAITING_FOR, kind_and_zone, read_fact_again};
use crate::books::environment::Environment;
use crate::domain::facts::fact::{FactRow, PARTS};
use crate::domain::facts::source::Source;
use crate::domain::intake::code::ExceptionCode;
use crate::domain::intake::status::RowOutcome;
use crate::domain::owner::Owner;
use crate::files::rows::Kind;
use crate::scheme::Merchant;
use crate::store::file_rows::{self, RecordedRow};
use crate::store::{Tx, exceptions, files};

/// Tries the rows again that wait for these orders.
pub async fn try_again(
    tx: &mut Tx,
    environment: &Environment,
    merchant: &Merchant,
    order_ids: &[&str],
    today: NaiveDate,
) -> Result<()> {
    let mut pending = file_rows::pending_for(tx, &merchant.id, order_ids).await?;
    if pending.is_empty() {
        return Ok(());
    }
    let mut files = HashMap::new();
    for waiting in &pending {
        if let Slot::Vacant(unknown) = files.entry(waiting.file_no) {
            unknown.insert(kind_and_zone(tx, environment, waiting.file_no).await?);
        }
    }
    // A chargeback follows its payment, whichever came first. A refund from a bill is stored under the bill's key, so
    // it comes before the merchant's row, which has another key.
    let is_whole_key = |row: &RecordedRow| files[&row.file_no].0 == Kind::Bills && row.row_key.contains(PARTS);
    pending.sort_by_key(|waiting| (waiting.kind == Kind::Chargebacks, !is_whole_key(waiting)));
    let mut rows = Vec::with_capacity(pending.len());
    for waiting in &pending {
        let (_, zone) = files[&waiting.file_no];
        rows.push((waiting.kind, read_fact_again(waiting, waiting.kind, zone)?));
    }
    let fact_rows: Vec<&FactRow> = rows.iter().map(|(_, row)| row).collect();
    let mut intake = FactIntake::open(tx, environment, merchant, &fact_rows, today).await?;
    let (mut resolved, mut opened) = (Vec::new(), Vec::new());
    let mut accepted_now: BTreeMap<ExceptionCode, Vec<&str>> = BTreeMap::new();
    let mut counts: BTreeMap<(i64, RowOutcome), i64> = BTreeMap::new();
    for (waiting, (kind, row)) in pending.iter_mut().zip(&rows) {
        let source = Source { file_no: waiting.file_no, line: waiting.line };
        let (of_file, _) = files[&waiting.file_no];
        let outcome = intake.decide(row, waiting.fingerprint, source, waiting.suspended_on.is_some());
        let outcome = with_kept_column(outcome, of_file, &waiting.content)?;
        let (code, message) = outcome.code_and_message();
        let waits_on = matches!(outcome, Outcome::Pending { .. });
        if waits_on && waiting.code == code {
            continue;
        }
        (waiting.code, waiting.message) = (code, message.to_owned());
        if !waits_on {
            waiting.outcome = outcome.kind();
            waiting.resolved_on = Some(today);
            *counts.entry((waiting.file_no, outcome.kind())).or_default() += 1;
        }
        // The new outcome can open an exception, as if the row had come now.
        opened.extend(exception_about(of_file, *kind, &outcome, waiting));
        if let Some(code) = rejected_code(of_file, *kind).filter(|_| outcome == Outcome::Accepted) {
            accepted_now.entry(code).or_default().push(&waiting.row_key);
        }
        resolved.push((waiting.row_key.as_str(), source));
    }
    for ((file_no, outcome), rows) in counts {
        files::move_pending(tx, file_no, outcome, rows).await?;
    }
    exceptions::resolve_rows(tx, &merchant.id, &WAITING_FOR, &resolved, today).await?;
    for (code, keys) in accepted_now {
        exceptions::resolve(tx, Owner::Merchant(&merchant.id), &[code], &keys, today).await?;
    }
    exceptions::open(tx, Owner::Merchant(&merchant.id), today, &opened).await?;
    file_rows::save(tx, &pending).await?;
    intake.write(tx).await
}

/// Tries the chargebacks again that wait for payments of these orders. A chargeback can come before its payment.
pub async fn try_chargebacks_again(
    tx: &mut Tx,
    environment: &Environment,
    merchant: &Merchant,
    paid: &[&str],
    today: NaiveDate,
) -> Result<()> {
    let waiting = file_rows::with_waiting_chargebacks(tx, &merchant.id, paid).await?;
    let waiting: Vec<&str> = waiting.iter().map(String::as_str).collect();
    try_again(tx, environment, merchant, &waiting, today).await
}
