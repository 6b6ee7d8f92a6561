//! Payments and refunds that two sources report under different keys. A bill's key is the number within the trade, with
//! the trade's own number in front (`T-1/R-1`). The merchant's file has the number alone, or the number within the
//! order. Within one order, they are the same.

use std::collections::HashMap;

use anyhow::Result;

use crate::domain::facts::case::Case;
use crate::domain::facts::fact::{Fact, FactKind, FactRow, PARTS, What};
use crate::files::rows::facts::fingerprint_of_money;
use crate::store::{Tx, bills, facts};

/// Recorded facts that rows may report under another key.
#[derive(Default)]
pub struct OtherKeys {
    /// The trade that a bill named for a fact, by kind and key.
    trades: HashMap<String, String>,
    /// The keys under which facts are already recorded, by kind and the row's own key.
    found: HashMap<String, String>,
}

impl OtherKeys {
    /// Loads the recorded facts that these rows may report, and adds their fingerprints to `known`.
    pub async fn load(
        tx: &mut Tx,
        merchant: &str,
        rows: &[&FactRow],
        cases: &HashMap<String, Case>,
        known: &mut HashMap<String, i64>,
    ) -> Result<OtherKeys> {
        let mut meant: HashMap<FactKind, Vec<&str>> = HashMap::new();
        for row in rows {
            let Some(case) = cases.get(&row.order_id) else { continue };
            let facts = case.facts.iter().filter(|fact| may_be(fact, row));
            meant.entry(row.what.kind()).or_default().extend(facts.map(|fact| fact.id.as_str()));
        }
        let mut trades = HashMap::new();
        for (kind, keys) in meant.into_iter().filter(|(_, keys)| !keys.is_empty()) {
            let content = facts::known(tx, merchant, kind, &keys).await?;
            known.extend(content.into_iter().map(|(id, content)| (key(kind, &id), content)));
            let named = bills::transactions(tx, merchant, kind, &keys).await?;
            trades.extend(named.into_iter().map(|(id, trade)| (key(kind, &id), trade)));
        }
        Ok(OtherKeys { trades, found: HashMap::new() })
    }

    /// Returns the fact that a row reports under another key: a fact of the same order with the same number, reported
    /// by the other source, or by the same bill when it was read without its trades.
    pub fn fact<'c>(
        &mut self,
        row: &FactRow,
        fingerprint: i64,
        case: &'c Case,
        known: &HashMap<String, i64>,
    ) -> Option<&'c Fact> {
        let kind = row.what.kind();
        let money = |order_id: &str, what: &What| match what {
            What::Payment { minor, .. } | What::Refund { minor, .. } => {
                Some(fingerprint_of_money(kind, order_id, *minor, Some(case.order.currency)))
            }
            _ => None,
        };
        // Of a fact from a bill, only the money is known.
        let of_bill = fingerprint == fingerprint_of_money(kind, &row.order_id, minor_of(&row.what)?, row.currency);
        let trade = row.id.rsplit_once(PARTS).map(|(trade, _)| trade);
        let is_it = |fact: &&Fact| {
            let known_as = key(kind, &fact.id);
            let is_of_bill = known.get(&known_as).copied() == money(&row.order_id, &fact.what);
            let named = self.trades.get(&known_as).map(String::as_str);
            match (of_bill, is_of_bill) {
                (true, false) => named.is_none_or(|named| Some(named) == trade),
                (true, true) => named.is_some() && named == trade,
                (false, true) => true,
                (false, false) => false,
            }
        };
        let fact = case.facts.iter().filter(|fact| may_be(fact, row)).find(is_it)?;
        if let Some(trade) = trade.filter(|_| of_bill) {
            self.trades.insert(key(kind, &fact.id), trade.to_owned());
        }
        self.found.insert(key(kind, &row.id), fact.id.clone());
        Some(fact)
    }

    /// Returns the key under which a row is recorded: its own, or that of the fact recorded from another source.
    pub fn of<'k>(&'k self, row: &'k FactRow) -> &'k str {
        if self.found.is_empty() {
            return &row.id;
        }
        self.found.get(&key(row.what.kind(), &row.id)).unwrap_or(&row.id)
    }
}

/// Returns the amount of a payment or refund.
pub fn minor_of(what: &What) -> Option<i64> {
    match what {
        What::Payment { minor, .. } | What::Refund { minor, .. } => Some(*minor),
        _ => None,
    }
}

/// Whether a row may report a fact: both move money of the same kind, under the same number with another prefix.
fn may_be(fact: &Fact, row: &FactRow) -> bool {
    let number = |id: &'_ str| id.rfind(PARTS).map_or(0, |at| at + PARTS.len_utf8());
    minor_of(&fact.what).is_some()
        && fact.what.kind() == row.what.kind()
        && fact.id != row.id
        && fact.id[number(&fact.id)..] == row.id[number(&row.id)..]
}

/// Returns a map key. Ids are only unique within their kind: a payment and its refund may share one.
pub fn key(kind: FactKind, id: &str) -> String {
    format!("{kind} {id}")
}
