//! The detail report: every entry of the day; and the settlement report: by order, how these entries changed what the merchant
//! is owed. The settlement is sorted by currency and order without holding a day in memory.

use anyhow::{Context, Result};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{DayOf, MerchantSums};
use crate::domain::calendar::plus;
use crate::domain::journal::{Account, EntryKind};
use crate::domain::money::Currency;
use crate::files::reports::{Detail, Report, Settlement, Written};
use crate::files::sorter::Sorter;
use crate::store::journal::JournalRow;
use crate::store::{Tx, fingerprints};

/// The orders whose changes are held in memory: some 30 MiB.
const IN_MEMORY: usize = 200_000;

/// A currency and an order, by which the report is sorted.
type Key = (Currency, String);

/// How orders changed the amount that their merchant is owed.
struct SettledOrders(Sorter<Key, Settled>);

impl SettledOrders {
    fn new() -> SettledOrders {
        SettledOrders(Sorter::new(IN_MEMORY))
    }

    fn take(&mut self, row: &JournalRow) -> Result<()> {
        if ![row.movement.debit, row.movement.credit].contains(&Account::MerchantPayable) {
            return Ok(());
        }
        let settled = Settled::by(row);
        // The entries of an order mostly follow one another.
        match self.0.last_mut(|(currency, id)| *currency == row.currency && *id == row.order_id) {
            Some(before) => before.add(settled),
            None => self.0.push((row.currency, row.order_id.clone()), settled)?,
        }
        Ok(())
    }
}

/// How an order changed the amount that its merchant is owed.
#[derive(Default, Clone, Copy, Serialize, Deserialize)]
struct Settled {
    gross: i64,
    refunds: i64,
    service_fee: i64,
    policy_version: Option<NaiveDate>,
}

impl Settled {
    fn by(row: &JournalRow) -> Settled {
        // An amount owed to the merchant is a credit; a correction is a debit.
        let owed = if row.movement.credit == Account::MerchantPayable { row.minor } else { -row.minor };
        let settled = Settled { policy_version: row.policy_version, ..Settled::default() };
        match row.movement.kind {
            EntryKind::ServiceFee => Settled { service_fee: -owed, ..settled },
            EntryKind::Refund | EntryKind::Suspense => Settled { refunds: -owed, ..settled },
            EntryKind::Order
            | EntryKind::Payment
            | EntryKind::Chargeback
            | EntryKind::LateFee
            | EntryKind::Waiver
            | EntryKind::FeeReturned
            | EntryKind::WriteOff
            | EntryKind::Recovery
            | EntryKind::PayOut => Settled { gross: owed, ..settled },
        }
    }

    fn add(&mut self, later: Settled) {
        self.gross += later.gross;
        self.refunds += later.refunds;
        self.service_fee += later.service_fee;
        self.policy_version = self.policy_version.or(later.policy_version);
    }
}

impl DayOf<'_> {
    /// Writes both reports from one reading of the day's journal.
    pub(super) async fn detail_and_settlement(
        &self,
        tx: &mut Tx,
        first: i64,
        sums: &mut MerchantSums,
    ) -> Result<(Written, Written)> {
        let mut detail = Report::begin::<Detail<'_>>(self.folder, self.name("detail"))?;
        let mut settled = SettledOrders::new();
        let entries = (first, sums.last_entry_no);
        let of_rows = &mut sums.detail;
        let reading = fingerprints::each_entry(tx, &self.merchant.id, self.day, entries, |rows| {
            for row in rows {
                detail.row(&self.detail_row(row))?;
                of_rows.entry((row.currency, row.movement.debit)).or_default().0 += row.minor;
                of_rows.entry((row.currency, row.movement.credit)).or_default().1 += row.minor;
                settled.take(row)?;
            }
            Ok(())
        });
        sums.booked = reading.await?;
        let settlement = self.settlement(settled, sums)?;
        Ok((detail.finish()?, settlement))
    }

    fn detail_row<'r>(&'r self, row: &'r JournalRow) -> Detail<'r> {
        Detail {
            entry_no: row.entry_no,
            merchant_id: &self.merchant.id,
            business_date: row.business_date,
            effective_on: row.effective_on,
            order_id: &row.order_id,
            currency: row.currency,
            movement: &row.movement,
            minor: row.minor,
            source: &row.source,
            source_line: row.line,
            policy_version: row.policy_version,
            reason: row.reason.name(),
        }
    }

    fn settlement(&self, settled: SettledOrders, sums: &mut MerchantSums) -> Result<Written> {
        let mut report = Report::begin::<Settlement<'_>>(self.folder, self.name("settlement"))?;
        let mut last: Option<(Key, Settled)> = None;
        settled.0.read(|key, settled| {
            if let Some((before, sum)) = &mut last
                && *before == key
            {
                sum.add(settled);
                return Ok(());
            }
            let ended = last.replace((key, settled));
            ended.map_or(Ok(()), |ended| self.settled_row(&mut report, ended, sums))
        })?;
        if let Some(ended) = last {
            self.settled_row(&mut report, ended, sums)?;
        }
        Ok(report.finish()?)
    }

    fn settled_row(
        &self,
        report: &mut Report,
        ((currency, order_id), settled): (Key, Settled),
        sums: &mut MerchantSums,
    ) -> Result<()> {
        let row = Settlement {
            settlement_id: &format!("{}-{}", self.merchant.id, self.day),
            merchant_id: &self.merchant.id,
            currency,
            order_id: &order_id,
            gross: settled.gross,
            refunds: settled.refunds,
            service_fee: settled.service_fee,
            payable_on: plus(self.day, self.payable_after(settled.policy_version)),
        };
        *sums.settled.entry(currency).or_default() += row.net();
        report.row(&row).with_context(|| format!("the settlement of order {order_id}"))
    }

    fn payable_after(&self, version: Option<NaiveDate>) -> i64 {
        let policy = &self.merchant.policy;
        let terms = version.and_then(|version| policy.version(version)).or_else(|| policy.in_force(self.day));
        terms.map_or(0, |terms| terms.payable_after)
    }
}
