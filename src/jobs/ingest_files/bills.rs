//! A provider's bill. Each row is decided as a payment or refund like any other. Each row is also stored as the
//! provider's statement about that money, whatever its outcome. Bills are matched with the books at the end of the day.

use std::collections::HashMap;

use anyhow::Result;
use chrono::NaiveDate;

use super::chunk::Chunk;
use super::facts;
use super::outcome::Outcome;
use crate::books::environment::Environment;
use crate::domain::calendar::day_of;
use crate::domain::facts::fact::FactKind;
use crate::domain::facts::source::Source;
use crate::files::read::reader::Line;
use crate::files::rows::{BillRow, Kind, Row};
use crate::scheme::Merchant;
use crate::store::bills::{ListedLine, NewLine};
use crate::store::{Tx, bills, file_rows};

pub async fn decide(
    tx: &mut Tx,
    environment: &Environment,
    merchant: &Merchant,
    chunk: &Chunk<'_>,
) -> Result<Vec<Outcome>> {
    let (mut outcomes, keys) = facts::decide_under_keys(tx, environment, merchant, chunk).await?;
    // Failed refunds are recorded with the earlier bill lines about them.
    let rows = chunk.lines.iter().filter_map(bill_row).filter(|row| !row.fact.failed);
    let rows: Vec<(&BillRow, &str)> = rows.map(|row| (row, keys.of(&row.fact))).collect();
    let mut words = Words::load(tx, merchant, &rows).await?;
    let mut fresh = Vec::new();
    for (line, outcome) in chunk.lines.iter().zip(&mut outcomes) {
        let Some(row) = bill_row(line).filter(|row| !row.fact.failed) else { continue };
        let key = keys.of(&row.fact);
        match words.take(row, key, chunk.today) {
            Word::New { opened_on } => fresh.push(NewLine {
                event: row.fact.what.kind(),
                key,
                order_id: &row.fact.order_id,
                minor: row.minor,
                currency: row.currency,
                fee_minor: row.fee_minor,
                transaction_id: &row.transaction_id,
                provider: &chunk.file.provider,
                occurred_on: day_of(row.fact.effective_at, environment.scheme.zone, None),
                opened_on,
                source: Source { file_no: chunk.file.file_no, line: line.number },
            }),
            Word::OtherFee(before) if *outcome == Outcome::Duplicate => {
                *outcome = other_fee(row, before);
            }
            Word::Same | Word::OtherFee(_) => {}
        }
    }
    bills::add(tx, &merchant.id, chunk.today, &fresh).await?;
    Ok(outcomes)
}

fn bill_row(line: &Line) -> Option<&BillRow> {
    match &line.parsed.as_ref().ok()?.row {
        Row::Bill(row) => Some(row),
        Row::Customer(_)
        | Row::Opening(_)
        | Row::Order(_)
        | Row::Fact(_)
        | Row::Result(_)
        | Row::Correction(_)
        | Row::DeliveryFailure(_) => None,
    }
}

/// Returns a conflict of fees. The provider's fee is not part of what is booked, but two fees for one payment
/// contradict each other.
fn other_fee(row: &BillRow, before: Option<i64>) -> Outcome {
    let in_words =
        |fee: Option<i64>| fee.map_or("no fee".to_owned(), |minor| format!("a fee of {}", row.currency.plain(minor)));
    let (what, id) = (row.fact.what.kind().name(), &row.fact.id);
    let message = format!(
        "{what} {id} was recorded before with {}, now with {}; nothing was changed",
        in_words(before),
        in_words(row.fee_minor)
    );
    Outcome::Conflict { message }
}

/// How a row relates to earlier bill lines about the same money.
enum Word {
    New { opened_on: NaiveDate },
    Same,
    OtherFee(Option<i64>),
}

/// Earlier bill lines about the payments and refunds of a chunk.
struct Words<'a> {
    said: HashMap<(FactKind, &'a str), Vec<ListedLine>>,
    /// The day since which a bill should have shown our money, or since which a row has waited for its order.
    since: HashMap<(FactKind, &'a str), NaiveDate>,
}

impl<'a> Words<'a> {
    async fn load(tx: &mut Tx, merchant: &Merchant, rows: &[(&'a BillRow, &'a str)]) -> Result<Words<'a>> {
        let (mut said, mut since) = (HashMap::new(), HashMap::new());
        for kind in [Kind::Payments, Kind::Refunds] {
            let of_kind: Vec<_> = rows.iter().copied().filter(|(row, _)| row.kind() == kind).collect();
            let Some(event) = of_kind.first().map(|(row, _)| row.fact.what.kind()) else { continue };
            let keys: Vec<&'a str> = of_kind.iter().map(|(_, key)| *key).collect();
            let mut before = bills::listed(tx, &merchant.id, event, &keys).await?;
            let awaited = bills::expected_since(tx, &merchant.id, event, &keys).await?;
            let waiting = file_rows::pending_known(tx, &merchant.id, kind, &keys).await?;
            let waiting: HashMap<String, NaiveDate> =
                waiting.into_iter().map(|waiting| (waiting.row_key, waiting.opened_on)).collect();
            for key in keys {
                said.extend(before.remove(key).map(|words| ((event, key), words)));
                since.extend(awaited.get(key).or(waiting.get(key)).map(|day| ((event, key), *day)));
            }
        }
        Ok(Words { said, since })
    }

    fn take(&mut self, row: &'a BillRow, key: &'a str, today: NaiveDate) -> Word {
        let about = (row.fact.what.kind(), key);
        let words = self.said.entry(about).or_default();
        let content = (row.fact.order_id.as_str(), row.minor, row.currency.code());
        let same = |said: &&ListedLine| (said.order_id.as_str(), said.amount_minor, said.currency.as_str()) == content;
        if let Some(said) = words.iter().find(same) {
            return if said.fee_minor == row.fee_minor { Word::Same } else { Word::OtherFee(said.fee_minor) };
        }
        // If the last line is still unmatched, the new one counts as open since the same day.
        let opened_on = match words.last() {
            Some(last) if !last.settled => last.opened_on,
            Some(_) => today,
            None => self.since.get(&about).copied().unwrap_or(today),
        };
        words.push(ListedLine {
            event_key: key.to_owned(),
            order_id: row.fact.order_id.clone(),
            amount_minor: row.minor,
            currency: row.currency.code().to_owned(),
            fee_minor: row.fee_minor,
            opened_on,
            settled: false,
            failed: false,
            file_no: 0,
            line: 0,
        });
        Word::New { opened_on }
    }
}
