//! Corrections that a person makes at the command line. Each is written as a file of one row and read like any other
//! file, so that the row, its acknowledgement and its effects are reported and stored as usual.

use std::{fmt, fs};

use anyhow::{Context, Result};
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;

use super::correction_intake::CorrectionIntake;
use super::outcome::Outcome;
use super::taking::take;
use crate::books::environment::Environment;
use crate::domain::decide::end_of_day::decide;
use crate::domain::decide::position::Position;
use crate::domain::facts::correction::CorrectionRow;
use crate::domain::facts::source::Source;
use crate::domain::intake::code::RowCode;
use crate::domain::intake::status::{FileStatus, RowOutcome};
use crate::domain::money::Currency;
use crate::files::atomic;
use crate::files::inbox::Found;
use crate::files::read::source::Seen;
use crate::files::rows::cell::Cells;
use crate::files::rows::{self, Kind, Row};
use crate::scheme::Merchant;

/// A correction, as columns and cells.
pub struct ByHand {
    pub id: String,
    pub cells: Vec<(&'static str, String)>,
}

/// What became of a correction: of its row or, if the row was not read, of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum CorrectionOutcome {
    Row(RowOutcome),
    File(FileStatus),
}

impl fmt::Display for CorrectionOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CorrectionOutcome::Row(outcome) => outcome.fmt(f),
            CorrectionOutcome::File(status) => status.fmt(f),
        }
    }
}

/// The outcome of a correction, or of a preview.
pub struct Answer {
    pub outcome: CorrectionOutcome,
    /// The name of the code of the row or the file; `None` if the row was accepted.
    pub code: Option<&'static str>,
    pub message: String,
    /// Present if the correction was only previewed.
    pub preview: Option<Preview>,
}

/// An order's instalments at the end of the open day, with and without a correction.
pub struct Preview {
    pub currency: Currency,
    pub before: Vec<Position>,
    pub after: Vec<Position>,
}

/// Takes a correction in.
pub async fn correct(
    environment: &Environment,
    merchant: &Merchant,
    by_hand: &ByHand,
    today: NaiveDate,
) -> Result<Answer> {
    let feed = environment.scheme.by_hand.iter().find(|feed| feed.owner.merchant() == Some(&merchant.id));
    let feed = feed.with_context(|| format!("merchant {} has no place for corrections", merchant.id))?;
    fs::create_dir_all(&feed.folder).with_context(|| format!("making the folder {}", feed.folder.display()))?;
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let name = format!("correction-{today}-{}.csv", by_hand.id.chars().map(plain).collect::<String>());
    let path = feed.folder.join(&name);
    let mut rows = csv::Writer::from_writer(Vec::new());
    rows.write_record(by_hand.cells.iter().map(|(column, _)| *column))?;
    rows.write_record(by_hand.cells.iter().map(|(_, cell)| cell.as_str()))?;
    atomic::write(&path, &rows.into_inner()?).with_context(|| format!("writing {}", path.display()))?;
    let seen = Seen::of(&fs::metadata(&path)?);
    let found = Found { path, name, date: Some(today), number: None, seen };
    let taken = take(environment, feed, &found, today, None).await?;
    let Some(file) = taken else { anyhow::bail!("{} was removed before it was read", found.name) };
    if let (Some(code), Some(message)) = (file.code, file.message) {
        let (code, outcome) = (Some(code.name()), CorrectionOutcome::File(file.status));
        return Ok(Answer { outcome, code, message, preview: None });
    }
    let ack = environment.scheme.home.outbox(&feed.name).join(format!("{}.ack.csv", file.kept_as));
    let mut rows = csv::Reader::from_path(&ack).with_context(|| format!("reading {}", ack.display()))?;
    let row = rows.records().next().context("an acknowledgement without a row")??;
    let cell = |at: usize| row.get(at).unwrap_or_default().to_owned();
    let outcome = RowOutcome::parse(&cell(2)).context("an acknowledgement with an unknown outcome")?;
    let code = match cell(3).as_str() {
        "" => None,
        code => Some(RowCode::parse(code).context("an acknowledgement with an unknown code")?.name()),
    };
    Ok(Answer { outcome: CorrectionOutcome::Row(outcome), code, message: cell(4), preview: None })
}

/// Returns what the outcome of a correction would be, and its effect on the order at the end of the open day. Nothing
/// changes.
pub async fn preview(
    environment: &Environment,
    merchant: &Merchant,
    by_hand: &ByHand,
    today: NaiveDate,
) -> Result<Answer> {
    let (header, cells): (Vec<String>, csv::StringRecord) =
        by_hand.cells.iter().map(|(column, cell)| ((*column).to_owned(), cell.clone())).unzip();
    let cells = Cells { header: &header, cells: &cells, zone: environment.scheme.zone, as_sent: None };
    let parsed = match rows::parse(Kind::Corrections, &cells) {
        Ok(parsed) => parsed,
        Err(rejection) => return Ok(answer_of(&Outcome::from(&rejection), None)),
    };
    let Row::Correction(row) = &parsed.row else { anyhow::bail!("a correction is read as something else") };
    let mut tx = environment.store.read().await?;
    let mut intake = CorrectionIntake::open(&mut tx, environment, merchant, &[row], today).await?;
    let before = positions(environment, merchant, &intake, row, today)?;
    let outcome = intake.try_one(row, parsed.fingerprint, Source::default());
    let after = positions(environment, merchant, &intake, row, today)?;
    let currency = intake.case_of(row).map(|case| case.order.currency);
    let preview = currency.zip(before.zip(after));
    Ok(answer_of(&outcome, preview.map(|(currency, (before, after))| Preview { currency, before, after })))
}

fn answer_of(outcome: &Outcome, preview: Option<Preview>) -> Answer {
    let (code, message) = outcome.code_and_message();
    let kind = CorrectionOutcome::Row(outcome.kind());
    Answer { outcome: kind, code: code.map(RowCode::name), message: message.to_owned(), preview }
}

fn positions(
    environment: &Environment,
    merchant: &Merchant,
    intake: &CorrectionIntake<'_>,
    row: &CorrectionRow,
    today: NaiveDate,
) -> Result<Option<Vec<Position>>> {
    let Some(case) = intake.case_of(row) else { return Ok(None) };
    let terms = environment.terms(&merchant.id, case.order.policy_version)?;
    Ok(Some(decide(case, terms, &[], today)?.positions))
}
