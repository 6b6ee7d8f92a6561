//! Rows that came before their order and wait for it, tried again when it comes.

use std::collections::hash_map::Entry as Slot;
use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result};
use chrono::NaiveDate;
use chrono_tz::Tz;

use super::facts::{Desk, with_kept_column};
use super::outcome::{Outcome, exception_about, rejected_code};
use crate::books::environment::Environment;
use crate::domain::facts::fact::{FactRow, PARTS};
use crate::domain::facts::source::Source;
use crate::domain::intake::admission::UNKNOWN_PAYMENT;
use crate::files::rows::cell::Cells;
use crate::files::rows::{self, Kind, Row};
use crate::scheme::Merchant;
use crate::store::file_rows::{self, RecordedRow};
use crate::store::{Tx, exceptions, files, listing};

/// What money rows wait for, as exceptions tell it.
pub const WAITING_FOR: [&str; 4] = ["UNKNOWN_ORDER", UNKNOWN_PAYMENT, "CURRENCY", "ORDER_DECLINED"];

/// Tries rows again that waited for these orders.
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
    // A chargeback waits for its payment, whichever of them came first. And what a bill has said of a refund is kept under its
    // key, so that it comes before the merchant's word, which has another.
    let is_whole_key = |row: &RecordedRow| files[&row.file_no].0 == Kind::Bills && row.row_key.contains(PARTS);
    pending.sort_by_key(|waiting| (waiting.kind == Kind::Chargebacks.name(), !is_whole_key(waiting)));
    let mut rows = Vec::with_capacity(pending.len());
    for waiting in &pending {
        let (_, zone) = files[&waiting.file_no];
        let kind = Kind::parse(&waiting.kind);
        let kind = kind.with_context(|| format!("a pending row of unknown kind {}", waiting.kind))?;
        rows.push((kind, read_again(waiting, kind, zone)?));
    }
    let fact_rows: Vec<&FactRow> = rows.iter().map(|(_, row)| row).collect();
    let mut desk = Desk::open(tx, environment, merchant, &fact_rows, today).await?;
    let (mut resolved, mut opened) = (Vec::new(), Vec::new());
    let mut mended: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut counts: BTreeMap<(i64, &str), i64> = BTreeMap::new();
    for (waiting, (kind, row)) in pending.iter_mut().zip(&rows) {
        let source = Source { file_no: waiting.file_no, line: waiting.line };
        let (of_file, _) = files[&waiting.file_no];
        let outcome = desk.decide(row, waiting.fingerprint, source, waiting.suspended_on.is_some());
        let outcome = with_kept_column(outcome, of_file, &waiting.content)?;
        let (code, message) = outcome.code_and_message();
        let waits_on = matches!(outcome, Outcome::Pending { .. });
        if waits_on && waiting.code == code {
            continue;
        }
        (waiting.code, waiting.message) = (code.to_owned(), message.to_owned());
        if !waits_on {
            waiting.outcome = outcome.name().to_owned();
            waiting.resolved_on = Some(today);
            *counts.entry((waiting.file_no, outcome.name())).or_default() += 1;
        }
        // What is the matter now is as much finance's as if the row had come now.
        opened.extend(exception_about(of_file, *kind, &outcome, waiting));
        if let Some(code) = rejected_code(of_file, *kind).filter(|_| outcome == Outcome::Accepted) {
            mended.entry(code).or_default().push(&waiting.row_key);
        }
        resolved.push((waiting.row_key.as_str(), source));
    }
    for ((file_no, outcome), rows) in counts {
        files::move_pending(tx, file_no, outcome, rows).await?;
    }
    exceptions::resolve_rows(tx, &merchant.id, &WAITING_FOR, &resolved, today).await?;
    for (code, keys) in mended {
        exceptions::resolve(tx, &merchant.id, &[code], &keys, today).await?;
    }
    exceptions::open(tx, &merchant.id, today, &opened).await?;
    file_rows::save(tx, &pending).await?;
    desk.write(tx).await
}

/// A chargeback may have come before its payment: tries those again that wait for payments of these orders.
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

/// A file's kind, and the zone of times without an offset in it: its feed's, as long as that is configured.
pub async fn kind_and_zone(tx: &mut Tx, environment: &Environment, file_no: i64) -> Result<(Kind, Tz)> {
    let file = listing::file(tx, file_no).await?.context("a pending row of no file")?.file;
    let kind = Kind::parse(&file.kind).with_context(|| format!("a file of unknown kind {}", file.kind))?;
    let feed = environment.scheme.feed(&file.feed);
    Ok((kind, feed.map_or(environment.scheme.zone, |feed| feed.zone)))
}

/// The row as it came, from its kept cells.
pub fn read_again(waiting: &RecordedRow, kind: Kind, zone: Tz) -> Result<FactRow> {
    let cells: std::collections::BTreeMap<String, String> =
        serde_json::from_str(&waiting.content).context("a pending row's cells")?;
    let (header, cells): (Vec<String>, csv::StringRecord) = cells.into_iter().unzip();
    let parsed = rows::parse(kind, &Cells { header: &header, cells: &cells, zone, as_sent: None });
    match parsed.map(|parsed| parsed.row) {
        Ok(Row::Fact(row)) => Ok(row),
        Ok(_) => anyhow::bail!("a pending row of kind {} is no fact", waiting.kind),
        Err(why) => anyhow::bail!("a pending row of kind {} cannot be read again: {}", waiting.kind, why.message),
    }
}
