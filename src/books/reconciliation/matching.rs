//! The matching report compares what providers report with the books. A provider's side is its bills if it sends any;
//! otherwise it is the file that brought the payment. The report is computed from dated rows only, so a sealed day
//! gives the same report at any time.

use anyhow::{Context, Result};
use chrono::NaiveDate;

use super::{DayOf, MerchantSums, currency};
use crate::domain::calendar::days_between;
use crate::domain::facts::fact::FactKind;
use crate::domain::money::Currency;
use crate::files::reports::{Matching, Report, Written};
use crate::files::rows::Kind;
use crate::store::bills::LineRow;
use crate::store::corrections::MoneyCorrected;
use crate::store::expected_in_bill::ExpectedRow;
use crate::store::facts::BookedPayment;
use crate::store::file_rows::RecordedRow;
use crate::store::{Tx, bills, corrections, expected_in_bill, facts, file_rows};

impl DayOf<'_> {
    /// Writes the report: first money that both sides have since today, then money that one side lacks, then amounts
    /// that differ.
    pub(super) async fn matching(&self, tx: &mut Tx, sums: &mut MerchantSums) -> Result<Written> {
        let (id, since, day) = (&self.merchant.id, self.since, self.day);
        let mut rows: Vec<Item> = Vec::new();
        for booked in facts::money_booked_on(tx, id, since, day).await? {
            rows.push(self.told_once(booked)?);
        }
        let corrections = corrections::money_on(tx, id, since, day).await?;
        // A fact that was corrected before its day is reported as corrected.
        for earlier in corrections.iter().filter(|corrected| !corrected.is_new) {
            rows.retain(|row| !row.is_about(earlier.event, &earlier.fact_id));
        }
        for line in bills::settled_on(tx, id, since, day).await? {
            rows.push(self.of_bill(line)?);
        }
        for row in expected_in_bill::open_at(tx, id, day).await? {
            rows.push(self.awaited(row)?);
        }
        for (waiting, provider, in_bill) in file_rows::suspended_at(tx, id, day).await? {
            let Some((minor, currency)) = signed_amount(&waiting)? else { continue };
            *sums.suspended.entry(currency).or_default() += minor;
            // The bill's own line reports this money.
            if !in_bill {
                rows.push(self.suspended(waiting, provider, minor, currency)?);
            }
        }
        for line in bills::open_at(tx, id, day).await? {
            rows.push(self.of_bill(line)?);
        }
        for line in bills::reopened_at(tx, id, day).await? {
            rows.extend(self.reopened(line, &rows)?);
        }
        for corrected in corrections {
            self.corrected(corrected, &mut rows)?;
        }
        for (conflict, provider, ours) in file_rows::money_conflicts_on(tx, id, since, day).await? {
            let Some((minor, currency)) = signed_amount(&conflict)? else { continue };
            rows.push(self.conflict(conflict, provider, (minor, if minor < 0 { -ours } else { ours }), currency)?);
        }
        rows.sort_by(|a, b| (a.status, a.event, &a.key).cmp(&(b.status, b.event, &b.key)));
        let mut report = Report::begin::<Matching<'_>>(self.folder, self.name("matching"))?;
        for row in &rows {
            if let Some((currency, minor)) = row.booked_today {
                *sums.matched.entry(currency).or_default() += minor;
            }
            report.row(&row.cells())?;
        }
        for (code, minor) in facts::sum_booked_on(tx, id, since, day).await? {
            sums.money_booked.insert(currency(&code)?, minor);
        }
        Ok(report.finish()?)
    }

    /// Returns the item of money that only one file reports.
    fn told_once(&self, booked: BookedPayment) -> Result<Item> {
        let (minor, since) = (booked.amount_minor, booked.waited_since);
        let currency = currency(&booked.currency)?;
        Ok(Item {
            status: Status::Matched,
            event: booked.event,
            provider: booked.provider,
            key: booked.fact_id,
            order_id: booked.order_id,
            provider_minor: minor,
            our_minor: minor,
            currency,
            fee_minor: None,
            booked_today: Some((currency, minor)),
            days_open: since.map_or(0, |since| days_between(since, self.day)),
        })
    }

    /// Returns the item of a bill line, with what the books have at the end of the day.
    fn of_bill(&self, line: LineRow) -> Result<Item> {
        let is_to_come = |on: Option<NaiveDate>| on.is_some_and(|on| on > self.day);
        let is_settled = line.settled_on.is_some_and(|settled_on| settled_on <= self.day);
        let status = match line.our_minor {
            // The money is dated ahead, or after the cut-off: both sides have it once its day has come.
            Some(_) if is_to_come(line.our_on) => Status::Timing,
            Some(minor) if is_settled && minor == line.amount_minor => Status::Matched,
            Some(_) => Status::AmountDiffers,
            None if is_to_come(Some(line.occurred_on)) => Status::Timing,
            None => Status::MissingHere,
        };
        let theirs = currency(&line.currency)?;
        let our_currency = line.our_currency.as_deref().map(currency).transpose()?;
        let ours = our_currency.zip(line.our_minor).filter(|_| !is_to_come(line.our_on));
        let first = our_currency.zip(line.first_minor);
        Ok(Item {
            status,
            event: line.event,
            provider: line.provider,
            key: line.event_key,
            order_id: line.order_id,
            provider_minor: line.amount_minor,
            // An amount in another currency cannot be compared with the provider's.
            our_minor: ours.filter(|(currency, _)| *currency == theirs).map_or(0, |(_, minor)| minor),
            currency: theirs,
            fee_minor: line.fee_minor,
            // A correction replaces what was booked first.
            booked_today: first.filter(|_| line.booked_on.is_some_and(|on| self.is_of_day(on))),
            days_open: days_between(line.opened_on, self.day),
        })
    }

    /// Returns the item of a bill line that was matched before a correction changed or removed the booked amount.
    fn reopened(&self, line: LineRow, rows: &[Item]) -> Result<Option<Item>> {
        if rows.iter().any(|row| row.is_about(line.event, &line.event_key)) {
            return Ok(None);
        }
        let item = self.of_bill(line)?;
        Ok(Some(Item { booked_today: None, ..item }))
    }

    /// Reports money that was corrected, today or before it took effect. Without a bill, the file that brought the
    /// money is the provider's side.
    fn corrected(&self, corrected: MoneyCorrected, rows: &mut Vec<Item>) -> Result<()> {
        let currency = currency(&corrected.currency)?;
        let (booked, ours) = (corrected.booked_minor, corrected.our_minor);
        if let Some(row) = rows.iter_mut().find(|row| row.is_about(corrected.event, &corrected.fact_id)) {
            row.booked_today = Some((currency, booked));
            if row.provider_minor != 0 && row.currency == currency && row.status != Status::Timing {
                row.our_minor = ours;
                row.status = status_of(row.provider_minor, ours);
            }
            return Ok(());
        }
        if booked == 0 {
            return Ok(());
        }
        rows.push(Item {
            status: status_of(corrected.first_minor, ours),
            event: corrected.event,
            provider: corrected.provider,
            key: corrected.fact_id,
            order_id: corrected.order_id,
            provider_minor: corrected.first_minor,
            our_minor: ours,
            currency,
            fee_minor: None,
            booked_today: Some((currency, booked)),
            days_open: 0,
        });
        Ok(())
    }

    /// Returns the item of booked money that a bill should show.
    fn awaited(&self, row: ExpectedRow) -> Result<Item> {
        let currency = currency(&row.currency)?;
        Ok(Item {
            status: if self.day < row.late_on { Status::Timing } else { Status::MissingThere },
            event: row.event,
            provider: row.provider,
            key: row.event_key,
            order_id: row.order_id,
            provider_minor: 0,
            our_minor: row.our_minor,
            currency,
            fee_minor: None,
            booked_today: self.is_of_day(row.booked_on).then_some((currency, row.amount_minor)),
            days_open: days_between(row.booked_on, self.day),
        })
    }

    fn suspended(&self, waiting: RecordedRow, provider: String, minor: i64, currency: Currency) -> Result<Item> {
        Ok(Item {
            status: Status::MissingHere,
            event: event_of(&waiting)?,
            provider,
            key: waiting.row_key,
            order_id: waiting.order_id,
            provider_minor: minor,
            our_minor: 0,
            currency,
            fee_minor: None,
            booked_today: None,
            days_open: days_between(waiting.opened_on, self.day),
        })
    }

    /// Returns the item of a row whose amount differs from the booked one. It is reported once, on its day.
    fn conflict(
        &self,
        row: RecordedRow,
        provider: String,
        (theirs, ours): (i64, i64),
        currency: Currency,
    ) -> Result<Item> {
        Ok(Item {
            status: Status::AmountDiffers,
            event: event_of(&row)?,
            provider,
            key: row.row_key,
            order_id: row.order_id,
            provider_minor: theirs,
            our_minor: ours,
            currency,
            fee_minor: None,
            booked_today: None,
            days_open: 0,
        })
    }
}

/// A payment, refund or chargeback on both sides.
struct Item {
    status: Status,
    /// Payments are listed first, then refunds, then chargebacks.
    event: FactKind,
    provider: String,
    key: String,
    order_id: String,
    provider_minor: i64,
    our_minor: i64,
    currency: Currency,
    fee_minor: Option<i64>,
    /// The amount that was booked today, if this item reports it.
    booked_today: Option<(Currency, i64)>,
    days_open: i64,
}

/// Compares two amounts of the same money.
fn status_of(theirs: i64, ours: i64) -> Status {
    match ours {
        ours if ours == theirs => Status::Matched,
        0 => Status::MissingHere,
        _ => Status::AmountDiffers,
    }
}

impl Item {
    fn is_about(&self, event: FactKind, key: &str) -> bool {
        self.event == event && self.key == key
    }

    fn cells(&self) -> Matching<'_> {
        Matching {
            provider: &self.provider,
            payment_id: &self.key,
            order_id: &self.order_id,
            provider_minor: self.provider_minor,
            our_minor: self.our_minor,
            currency: self.currency,
            status: self.status.name(),
            days_open: self.days_open,
            provider_fee: self.fee_minor,
        }
    }
}

/// The status of an item, in the order of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Status {
    Matched,
    Timing,
    MissingHere,
    MissingThere,
    AmountDiffers,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Status::Matched => "matched",
            Status::Timing => "timing",
            Status::MissingHere => "missing_here",
            Status::MissingThere => "missing_there",
            Status::AmountDiffers => "amount_differs",
        }
    }
}

/// Returns the kind of fact that a row of money reports.
fn event_of(row: &RecordedRow) -> Result<FactKind> {
    row.kind.fact().with_context(|| format!("a row of {} has no money of its own", row.kind))
}

/// Returns the money of a row. It is negative for a chargeback, which takes money back.
fn signed_amount(row: &RecordedRow) -> Result<Option<(i64, Currency)>> {
    let Some((minor, code)) = row.amount_minor.zip(row.currency.as_deref()) else { return Ok(None) };
    let minor = if row.kind == Kind::Chargebacks { -minor } else { minor };
    Ok(Some((minor, currency(code)?)))
}
