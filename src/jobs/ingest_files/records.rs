//! Customers and agreements: a later row with other content is an update, kept with its date.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;

use super::super::Scheme;
use super::Chunk;
use super::outcome::Outcome;
use crate::domain::customer::Opening;
use crate::domain::order::Source;
use crate::files::incoming::Row;
use crate::files::reader::Line;
use crate::store::Tx;
use crate::store::customers::{self, Delivered};

pub async fn customers(tx: &mut Tx, chunk: &Chunk<'_>) -> Result<Vec<Outcome>> {
    let Chunk { file, lines, today, .. } = *chunk;
    let ids: Vec<&str> = lines.iter().filter_map(|line| Some(line.parsed.as_ref().ok()?.row.key())).collect();
    let mut waves = Waves::new(customers::known(tx, &ids).await?);
    let mut outcomes = Vec::with_capacity(lines.len());
    for line in lines {
        outcomes.push(match &line.parsed {
            Ok(parsed) => {
                let Row::Customer(customer) = &parsed.row else { unreachable!("a file of customers holds customers") };
                let source = Source { file_no: file.file_no, line: line.number };
                waves.take(&customer.customer_id, parsed.fingerprint, source, customer.clone())
            }
            Err(rejection) => Outcome::from(rejection),
        });
    }
    for Wave { fresh, updates } in waves.waves {
        let updates: Vec<&str> = updates.iter().map(String::as_str).collect();
        customers::save(tx, today, &fresh, &updates).await?;
    }
    Ok(outcomes)
}

pub async fn agreements(tx: &mut Tx, scheme: &Scheme, chunk: &Chunk<'_>) -> Result<Vec<Outcome>> {
    let Chunk { file, lines, today, .. } = *chunk;
    let mut by_merchant: BTreeMap<&str, Waves<Opening>> = BTreeMap::new();
    for merchant in &scheme.config.merchants {
        let ids: Vec<&str> = lines
            .iter()
            .filter_map(|line| opening(line))
            .filter(|opening| opening.merchant_id == merchant.id)
            .map(|opening| opening.agreement.agreement_id.as_str())
            .collect();
        if !ids.is_empty() {
            let known = customers::known_agreements(tx, &merchant.id, &ids).await?;
            by_merchant.insert(&merchant.id, Waves::new(known));
        }
    }
    let mut outcomes = Vec::with_capacity(lines.len());
    for line in lines {
        outcomes.push(match (&line.parsed, opening(line)) {
            (Ok(parsed), Some(opening)) => match by_merchant.get_mut(opening.merchant_id.as_str()) {
                Some(waves) => {
                    let source = Source { file_no: file.file_no, line: line.number };
                    waves.take(&opening.agreement.agreement_id, parsed.fingerprint, source, opening.clone())
                }
                None => Outcome::Rejected {
                    code: "UNKNOWN_MERCHANT",
                    message: format!(
                        "column merchant_id, value {:?}: no such merchant is configured; mend it, or have it configured",
                        opening.merchant_id
                    ),
                },
            },
            (Err(rejection), _) => Outcome::from(rejection),
            (Ok(_), None) => unreachable!("a file of agreements holds agreements"),
        });
    }
    for Wave { fresh, updates } in by_merchant.into_values().flat_map(|waves| waves.waves) {
        let updates: Vec<&str> = updates.iter().map(String::as_str).collect();
        customers::save_agreements(tx, today, &fresh, &updates).await?;
    }
    Ok(outcomes)
}

fn opening(line: &Line) -> Option<&Opening> {
    match &line.parsed.as_ref().ok()?.row {
        Row::Opening(opening) => Some(opening),
        Row::Customer(_) | Row::Order(_) | Row::Fact(_) | Row::Result(_) | Row::Bill(_) => None,
    }
}

/// Records to write, in waves: one that a file updates twice goes through twice, so that what it said in between is
/// kept as well.
struct Waves<T> {
    /// Fingerprints as they stand, and the wave that a key was last in.
    known: HashMap<String, (i64, Option<usize>)>,
    waves: Vec<Wave<T>>,
}

struct Wave<T> {
    fresh: Vec<Delivered<T>>,
    /// Keys that were known before.
    updates: Vec<String>,
}

impl<T> Waves<T> {
    fn new(known: HashMap<String, i64>) -> Waves<T> {
        let known = known.into_iter().map(|(key, fingerprint)| (key, (fingerprint, None))).collect();
        Waves { known, waves: Vec::new() }
    }

    fn take(&mut self, key: &str, fingerprint: i64, source: Source, record: T) -> Outcome {
        let before = self.known.get(key).copied();
        if before.is_some_and(|(known, _)| known == fingerprint) {
            return Outcome::Duplicate;
        }
        let wave = before.and_then(|(_, wave)| wave).map_or(0, |wave| wave + 1);
        if wave == self.waves.len() {
            self.waves.push(Wave { fresh: Vec::new(), updates: Vec::new() });
        }
        self.known.insert(key.to_owned(), (fingerprint, Some(wave)));
        self.waves[wave].fresh.push(Delivered { record, fingerprint, source });
        if before.is_some() {
            self.waves[wave].updates.push(key.to_owned());
        }
        Outcome::Accepted
    }
}
