//! Facts about orders: fulfilments, money, extensions, holds, waivers. A row that names an unknown order waits; the
//! close books its money in suspense.

use anyhow::Result;

use super::chunk::Chunk;
use super::correction_intake::CorrectionIntake;
use super::fact_intake::{FactIntake, fact_row};
use super::other_keys::OtherKeys;
use super::outcome::{Outcome, raw};
use super::pending;
use super::refused_column::with_column;
use crate::books::environment::Environment;
use crate::domain::facts::correction::CorrectionRow;
use crate::domain::facts::fact::{FactKind, FactRow};
use crate::domain::facts::source::Source;
use crate::domain::intake::code::RowCode;
use crate::domain::owner::Owner;
use crate::files::rows::Kind;
use crate::scheme::Merchant;
use crate::store::bills::{self};
use crate::store::{Tx, exceptions};

pub async fn decide(
    tx: &mut Tx,
    environment: &Environment,
    merchant: &Merchant,
    chunk: &Chunk<'_>,
) -> Result<Vec<Outcome>> {
    decide_under_keys(tx, environment, merchant, chunk).await.map(|(outcomes, _)| outcomes)
}

/// Decides a chunk, and also returns the keys under which its rows are recorded.
pub async fn decide_under_keys(
    tx: &mut Tx,
    environment: &Environment,
    merchant: &Merchant,
    chunk: &Chunk<'_>,
) -> Result<(Vec<Outcome>, OtherKeys)> {
    let kind = chunk.kind;
    let rows: Vec<&FactRow> = chunk.lines.iter().filter_map(fact_row).collect();
    let mut intake = FactIntake::open(tx, environment, merchant, &rows, chunk.today).await?;
    intake.is_bill = kind == Kind::Bills;
    intake.load_waiting(tx, kind, &rows).await?;
    let mut outcomes = Vec::with_capacity(chunk.lines.len());
    let mut dated_ahead = Vec::new();
    for line in chunk.lines {
        outcomes.push(match (&line.parsed, fact_row(line)) {
            // Failed refunds are decided after everything else is booked.
            (Ok(_), Some(row)) if row.failed => Outcome::Duplicate,
            (Ok(parsed), Some(row)) => {
                let source = Source { file_no: chunk.file.file_no, line: line.number };
                let outcome = intake.decide(row, parsed.fingerprint, source, false);
                if matches!(outcome, Outcome::Accepted | Outcome::Pending { .. }) {
                    dated_ahead.extend(intake.dated_ahead(row, source));
                }
                with_column(outcome, kind, |column| raw(chunk.header, line, column))
            }
            (Err(rejection), _) => Outcome::from(rejection),
            (Ok(_), None) => unreachable!("a file of facts holds facts"),
        });
    }
    exceptions::open(tx, Owner::Merchant(&merchant.id), chunk.today, &dated_ahead).await?;
    let failed = intake.failed(chunk);
    let keys = std::mem::take(&mut intake.other_keys);
    intake.write(tx).await?;
    void_failed(tx, environment, merchant, chunk, &failed, &mut outcomes).await?;
    if matches!(kind, Kind::Payments | Kind::Bills) {
        let paid: Vec<&str> = rows.iter().map(|row| row.order_id.as_str()).collect();
        pending::try_chargebacks_again(tx, environment, merchant, &paid, chunk.today).await?;
    }
    Ok((outcomes, keys))
}

/// Voids refunds that failed.
async fn void_failed(
    tx: &mut Tx,
    environment: &Environment,
    merchant: &Merchant,
    chunk: &Chunk<'_>,
    failed: &[(usize, CorrectionRow)],
    outcomes: &mut [Outcome],
) -> Result<()> {
    if failed.is_empty() {
        return Ok(());
    }
    let rows: Vec<&CorrectionRow> = failed.iter().map(|(_, row)| row).collect();
    let mut intake = CorrectionIntake::open(tx, environment, merchant, &rows, chunk.today).await?;
    for (at, row) in failed {
        let line = &chunk.lines[*at];
        let source = Source { file_no: chunk.file.file_no, line: line.number };
        let fingerprint = line.parsed.as_ref().map_or(0, |parsed| parsed.fingerprint);
        outcomes[*at] = match intake.decide(tx, row, fingerprint, source).await? {
            // The refund was never booked, and never will be.
            Outcome::Pending { .. } => {
                let message = "the refund failed and was never booked".to_owned();
                Outcome::Declined { code: RowCode::SetAside, message }
            }
            outcome => outcome,
        };
    }
    intake.write(tx).await?;
    let ids: Vec<&str> = failed.iter().map(|(_, row)| row.fact_id.as_str()).collect();
    bills::fail(tx, &merchant.id, FactKind::Refund, &ids, chunk.today).await
}
