//! A payment or refund that two sources tell of under different keys: a bill has its number within the trade, with the trade's in
//! front (`T-1/R-1`), the merchant's own file the number alone, or within the order. Of one order they are the same.

use std::collections::HashMap;

use anyhow::Result;

use crate::domain::facts::case::Case;
use crate::domain::facts::fact::{Fact, FactRow, PARTS, What};
use crate::files::rows::facts::fingerprint_of_money;
use crate::store::{Tx, bills, facts};

/// What is known of facts that rows may mean by another key.
#[derive(Default)]
pub struct OtherKeys {
    /// Trades that bills have named for them, by kind and key.
    trades: HashMap<String, String>,
    /// The keys under which rows were recorded from elsewhere, by kind and the row's own key.
    found: HashMap<String, String>,
}

impl OtherKeys {
    /// Loads what is known of facts that these rows may mean, and adds their content to what is `known`.
    pub async fn load(
        tx: &mut Tx,
        merchant: &str,
        rows: &[&FactRow],
        cases: &HashMap<String, Case>,
        known: &mut HashMap<String, i64>,
    ) -> Result<OtherKeys> {
        let mut meant: HashMap<&str, Vec<&str>> = HashMap::new();
        for row in rows {
            let Some(case) = cases.get(&row.order_id) else { continue };
            let facts = case.facts.iter().filter(|fact| may_be(fact, row));
            meant.entry(row.what.kind().code()).or_default().extend(facts.map(|fact| fact.id.as_str()));
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

    /// The fact that a row means by another key: of its order, under the same number, and told of by the other side. Or by the
    /// same bill, when that was read without its trades yet.
    pub fn fact<'c>(
        &mut self,
        row: &FactRow,
        fingerprint: i64,
        case: &'c Case,
        known: &HashMap<String, i64>,
    ) -> Option<&'c Fact> {
        let kind = row.what.kind().code();
        let money = |order_id: &str, what: &What| match what {
            What::Payment { minor, .. } | What::Refund { minor, .. } => {
                Some(fingerprint_of_money(kind, order_id, *minor, Some(case.order.currency)))
            }
            _ => None,
        };
        // Of what a bill tells, nothing but the money is known.
        let of_bill = fingerprint == fingerprint_of_money(kind, &row.order_id, minor_of(&row.what)?, row.currency);
        let trade = row.id.rsplit_once(PARTS).map(|(trade, _)| trade);
        let is_it = |fact: &&Fact| {
            let known_as = key(kind, &fact.id);
            let told_by_bill = known.get(&known_as).copied() == money(&row.order_id, &fact.what);
            let named = self.trades.get(&known_as).map(String::as_str);
            match (of_bill, told_by_bill) {
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

    /// The key under which a row is recorded: its own, but for those that were recorded from elsewhere.
    pub fn of<'k>(&'k self, row: &'k FactRow) -> &'k str {
        if self.found.is_empty() {
            return &row.id;
        }
        self.found.get(&key(row.what.kind().code(), &row.id)).unwrap_or(&row.id)
    }
}

/// What a payment or refund moves.
pub fn minor_of(what: &What) -> Option<i64> {
    match what {
        What::Payment { minor, .. } | What::Refund { minor, .. } => Some(*minor),
        _ => None,
    }
}

/// Whether a fact could be what a row means: money of the same kind, under the same number within something else.
fn may_be(fact: &Fact, row: &FactRow) -> bool {
    let number = |id: &'_ str| id.rfind(PARTS).map_or(0, |at| at + PARTS.len_utf8());
    minor_of(&fact.what).is_some()
        && fact.what.kind().code() == row.what.kind().code()
        && fact.id != row.id
        && fact.id[number(&fact.id)..] == row.id[number(&row.id)..]
}

/// Keys are unique within their kind: a payment and its refund may share one.
pub fn key(kind: &str, id: &str) -> String {
    format!("{kind} {id}")
}
