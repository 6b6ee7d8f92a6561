//! The lines of providers' bills about an order's payments and refunds, in words.

use std::collections::HashMap;

use anyhow::{Context, Result};
use chrono::NaiveDate;

use super::words::StoryLine;
use crate::domain::facts::fact::{Fact, FactKind};
use crate::domain::facts::source::Source;
use crate::domain::money::Currency;
use crate::store::bills::LineRow;
use crate::store::expected_in_bill::ExpectedRow;
use crate::store::{Tx, bills, expected_in_bill};

/// The bill lines of an order, and the lines that bills should have.
pub struct Bills {
    lines: Vec<LineRow>,
    awaited: Vec<ExpectedRow>,
}

impl Bills {
    pub async fn load(tx: &mut Tx, merchant: &str, order_id: &str) -> Result<Bills> {
        let lines = bills::of_order(tx, merchant, order_id).await?;
        let awaited = expected_in_bill::of_order(tx, merchant, order_id).await?;
        Ok(Bills { lines, awaited })
    }

    /// Returns the provider's fee for a payment or refund that arrived with the provider's bill.
    pub fn fee_of(&self, fact: &Fact) -> String {
        let line = self.lines.iter().find(|line| is_from(line, fact.source));
        let fee = line.and_then(|line| Some((line, line.fee_minor?, Currency::parse(&line.currency)?)));
        fee.map_or(String::new(), |(line, minor, currency)| format!("; {}", fee_words(&line.provider, minor, currency)))
    }

    /// Returns the bill lines about payments and refunds that arrived in other files, and the lines that are missing on
    /// a day.
    pub fn lines(&self, facts: &[&Fact], open_day: NaiveDate) -> Result<Vec<StoryLine>> {
        let mut lines = Vec::new();
        let sources: HashMap<(FactKind, &str), Source> =
            facts.iter().map(|fact| ((fact.what.kind(), fact.id.as_str()), fact.source)).collect();
        for line in &self.lines {
            let booked = sources.get(&(line.event, line.event_key.as_str()));
            if booked.is_some_and(|source| is_from(line, *source)) {
                continue;
            }
            let currency = currency(&line.currency)?;
            let LineRow { provider, event, event_key, .. } = line;
            let amount = format!("{} {currency}", currency.plain(line.amount_minor));
            let ours = match line.our_minor {
                None => "; the books do not have it on this order".to_owned(),
                Some(minor) if minor != line.amount_minor || line.our_currency.as_deref() != Some(currency.code()) => {
                    let ours = line.our_currency.as_deref().and_then(Currency::parse).unwrap_or(currency);
                    format!("; booked are {} {ours}", ours.plain(minor))
                }
                Some(_) if booked.is_none() => "; it is booked on another order".to_owned(),
                Some(_) => ", as booked".to_owned(),
            };
            let fee = line.fee_minor.map(|minor| format!("; {}", fee_words(provider, minor, currency)));
            let what =
                format!("the bill of {provider} has {event} {event_key} of {amount}{ours}{}", fee.unwrap_or_default());
            let source = Some(Source { file_no: line.file_no, line: line.line });
            lines.push(StoryLine { on: line.business_date, what, source });
        }
        for row in &self.awaited {
            let since = row.late_on.max(row.booked_on);
            if since <= open_day && row.closed_on.is_none_or(|closed_on| closed_on > since) {
                let ExpectedRow { provider, event, event_key, .. } = row;
                let what = format!("no bill of {provider} has had {event} {event_key} so far; it should have");
                lines.push(StoryLine { on: since, what, source: None });
            }
        }
        Ok(lines)
    }

    pub fn files(&self) -> impl Iterator<Item = i64> {
        self.lines.iter().map(|line| line.file_no)
    }
}

fn is_from(line: &LineRow, source: Source) -> bool {
    (line.file_no, line.line) == (source.file_no, source.line)
}

fn fee_words(provider: &str, minor: i64, currency: Currency) -> String {
    let amount = format!("{} {currency}", currency.plain(minor.abs()));
    if minor < 0 {
        format!("{provider} gives the shop {amount} of its fee back")
    } else {
        format!("{provider} keeps {amount} as its fee from the shop")
    }
}

fn currency(code: &str) -> Result<Currency> {
    Currency::parse(code).with_context(|| format!("the store has an unknown currency {code}"))
}
