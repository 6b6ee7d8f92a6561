//! Matching: what providers report against what the books have.

use anyhow::Result;

use super::{DayOf, MerchantSums, currency};
use crate::domain::calendar::days_between;
use crate::domain::money::Currency;
use crate::files::incoming::Kind;
use crate::files::outgoing::{Matching, Report, Written};
use crate::store::inputs::InputRow;
use crate::store::{Tx, facts, inputs};

impl DayOf<'_> {
    /// Money that reached its order today, money that still waits for one, and contradictions of today.
    pub(super) async fn matching(&self, tx: &mut Tx, sums: &mut MerchantSums) -> Result<Written> {
        let mut report = Report::begin::<Matching<'_>>(self.folder, self.name("matching"))?;
        for booked in facts::money_booked_on(tx, &self.merchant.id, self.day).await? {
            report.row(&Matching {
                provider: &booked.provider,
                payment_id: &booked.fact_id,
                order_id: &booked.order_id,
                provider_minor: booked.amount_minor,
                our_minor: booked.amount_minor,
                currency: currency(&booked.currency)?,
                status: "matched",
                days_open: 0,
            })?;
        }
        for (waiting, provider) in inputs::suspended_at(tx, &self.merchant.id, self.day).await? {
            let Some((minor, currency)) = signed_amount(&waiting)? else { continue };
            *sums.suspended.entry(currency).or_default() += minor;
            report.row(&Matching {
                provider: &provider,
                payment_id: &waiting.row_key,
                order_id: &waiting.order_id,
                provider_minor: minor,
                our_minor: 0,
                currency,
                status: "missing_here",
                days_open: days_between(waiting.opened_on, self.day),
            })?;
        }
        for (conflict, provider, ours) in inputs::money_conflicts_on(tx, &self.merchant.id, self.day).await? {
            let Some((minor, currency)) = signed_amount(&conflict)? else { continue };
            let ours = if minor < 0 { -ours } else { ours };
            report.row(&Matching {
                provider: &provider,
                payment_id: &conflict.row_key,
                order_id: &conflict.order_id,
                provider_minor: minor,
                our_minor: ours,
                currency,
                status: "amount_differs",
                days_open: 0,
            })?;
        }
        Ok(report.finish()?)
    }
}

/// The money of a row; of a chargeback, which takes it back, negative.
fn signed_amount(row: &InputRow) -> Result<Option<(i64, Currency)>> {
    let Some((minor, code)) = row.amount_minor.zip(row.currency.as_deref()) else { return Ok(None) };
    let minor = if row.kind == Kind::Chargebacks.name() { -minor } else { minor };
    Ok(Some((minor, currency(code)?)))
}
