//! Corrections void or replace a fact and everything that followed from it. A correction of an unknown fact waits for
//! that fact. A correction of a pending row ends its waiting; money of that row in suspense is released at the close.

use anyhow::{Context, Result};
use chrono::NaiveDate;

use super::chunk::Chunk;
use super::correction_intake::CorrectionIntake;
use super::outcome::Outcome;
use super::waiting_rows;
use crate::books::environment::Environment;
use crate::domain::facts::correction::CorrectionRow;
use crate::domain::facts::source::Source;
use crate::domain::intake::code::RowCode;
use crate::files::rows::{Kind, Row};
use crate::scheme::Merchant;
use crate::store::file_rows::{self, RecordedRow};
use crate::store::{Tx, exceptions, files};

pub async fn decide(
    tx: &mut Tx,
    environment: &Environment,
    merchant: &Merchant,
    chunk: &Chunk<'_>,
) -> Result<Vec<Outcome>> {
    let rows: Vec<&CorrectionRow> =
        chunk.lines.iter().filter_map(|line| correction(&line.parsed.as_ref().ok()?.row)).collect();
    let mut intake = CorrectionIntake::open(tx, environment, merchant, &rows, chunk.today).await?;
    let mut outcomes = Vec::with_capacity(chunk.lines.len());
    for line in chunk.lines {
        outcomes.push(match &line.parsed {
            Ok(parsed) => {
                let row = correction(&parsed.row).context("a file of corrections holds corrections")?;
                let source = Source { file_no: chunk.file.file_no, line: line.number };
                intake.decide(tx, row, parsed.fingerprint, source).await?
            }
            Err(rejection) => Outcome::from(rejection),
        });
    }
    intake.write(tx).await?;
    Ok(outcomes)
}

fn correction(row: &Row) -> Option<&CorrectionRow> {
    match row {
        Row::Correction(row) => Some(row),
        _ => None,
    }
}

/// Tries pending corrections again. There are few, and usually none.
pub async fn try_again(tx: &mut Tx, environment: &Environment, merchant: &Merchant, today: NaiveDate) -> Result<()> {
    let mut waiting = file_rows::pending_of_kind(tx, &merchant.id, Kind::Corrections).await?;
    if waiting.is_empty() {
        return Ok(());
    }
    let mut rows = Vec::with_capacity(waiting.len());
    for input in &waiting {
        let (_, zone) = waiting_rows::kind_and_zone(tx, environment, input.file_no).await?;
        rows.push(waiting_rows::read_correction_again(input, zone)?);
    }
    let by_row: Vec<&CorrectionRow> = rows.iter().collect();
    let mut intake = CorrectionIntake::open(tx, environment, merchant, &by_row, today).await?;
    let mut resolved = Vec::new();
    for (input, row) in waiting.iter_mut().zip(&rows) {
        let source = Source { file_no: input.file_no, line: input.line };
        let outcome = intake.decide(tx, row, input.fingerprint, source).await?;
        if matches!(outcome, Outcome::Pending { .. }) {
            continue;
        }
        let (code, message) = outcome.code_and_message();
        (input.code, input.message) = (code, message.to_owned());
        input.outcome = outcome.kind();
        input.resolved_on = Some(today);
        files::move_pending(tx, input.file_no, outcome.kind(), 1).await?;
        resolved.push(input.clone());
    }
    let about = |input: &'_ RecordedRow| Source { file_no: input.file_no, line: input.line };
    let about: Vec<(&str, Source)> = resolved.iter().map(|input| (input.row_key.as_str(), about(input))).collect();
    exceptions::resolve_rows(tx, &merchant.id, &[RowCode::UnknownFact.into()], &about, today).await?;
    file_rows::save(tx, &resolved).await?;
    intake.write(tx).await
}
