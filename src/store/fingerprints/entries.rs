//! A day's journal, read once for the detail report and for the day's fingerprint.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use anyhow::{Context, Result};
use chrono::NaiveDate;
use serde::Deserialize;

use super::lines::{Booked, Of, booked};
use super::printing::{BookedPrints, PartPrint};
use crate::domain::journal::{EntryKind, Reason};
use crate::domain::owner::Owner;
use crate::store::as_text::{any_day, day};
use crate::store::engine::Tx;
use crate::store::files;
use crate::store::journal::{JournalRow, currency, movement};

/// Passes a merchant's entries with after < entry_no ≤ upto to `take`, a few at a time. Returns the fingerprints of these
/// entries and of the orders that they booked.
pub async fn each_entry(
    tx: &mut Tx,
    merchant: &str,
    day: NaiveDate,
    entries: (i64, i64),
    mut take: impl FnMut(&[JournalRow]) -> Result<()>,
) -> Result<Vec<PartPrint>> {
    let mut of = Of { owner: Owner::Merchant(merchant), day, entries };
    let (mut prints, mut names) = (BookedPrints::default(), HashMap::new());
    let mut next = booked(tx, &mut of).await?;
    while let Some(read) = next {
        let rows = rows(tx, &read, &mut names).await?;
        // The store reads the next entries meanwhile.
        let work = async {
            prints.take(&read);
            take(&rows)
        };
        let (read, taken) = tokio::join!(booked(tx, &mut of), work);
        taken?;
        next = read?;
    }
    Ok(prints.finish())
}

/// The columns of `parts::JOURNAL`, as its lines have them.
#[derive(Deserialize)]
struct Line<'a>(
    i64,
    #[serde(deserialize_with = "day")] NaiveDate,
    #[serde(deserialize_with = "day")] NaiveDate,
    #[serde(borrow)] Cow<'a, str>,
    String,
    i64,
    #[serde(borrow)] Cow<'a, str>,
    i16,
    i16,
    i64,
    String,
    i64,
    i64,
    #[serde(deserialize_with = "any_day")] Option<NaiveDate>,
    #[serde(borrow)] Cow<'a, str>,
);

/// Reads entries from their lines. `names` has the names of the files that were met before.
async fn rows(tx: &mut Tx, booked: &Booked, names: &mut HashMap<i64, String>) -> Result<Vec<JournalRow>> {
    let mut rows = Vec::new();
    for line in booked.entries() {
        let (row, file_no) = row(line).with_context(|| format!("entry {line}"))?;
        let name = match names.entry(file_no) {
            Entry::Occupied(name) => name.into_mut(),
            // File 0 stands for a rule.
            Entry::Vacant(name) => {
                name.insert(files::names(tx, &[file_no]).await?.remove(&file_no).unwrap_or_default())
            }
        };
        rows.push(JournalRow { source: name.clone(), ..row });
    }
    Ok(rows)
}

fn row(line: &str) -> Result<(JournalRow, i64)> {
    let Line(
        entry_no,
        business_date,
        effective_on,
        kind,
        order_id,
        instalment,
        code,
        debit,
        credit,
        minor,
        cause,
        file_no,
        line,
        policy_version,
        reason,
    ) = serde_json::from_str(line)?;
    let kind = EntryKind::parse(&kind).with_context(|| format!("the journal has an unknown kind {kind}"))?;
    let reason = Reason::parse(&reason).with_context(|| format!("the journal has an unknown reason {reason}"))?;
    let row = JournalRow {
        entry_no,
        business_date,
        effective_on,
        order_id,
        currency: currency(&code)?,
        minor,
        movement: movement(kind, instalment, debit, credit, cause)?,
        source: String::new(),
        line,
        policy_version,
        reason,
    };
    Ok((row, file_no))
}
