//! The story of an order after it was placed: usually it is delivered and paid.
//!
//! The stories are plausible, not exact. Whether an extension is granted or a fee is owed is for the books to decide.

use anyhow::Result;
use chrono::{Duration, NaiveDate, NaiveDateTime};

use crate::domain::money::Currency;

use super::dice::Dice;
use super::files::{CURRENCY, Folder, Kind, instant};
use super::merchant::{ASK_WITHIN, AUTO_CONFIRM, LONGEST_EXTENSION, Merchant, Trade};
use super::people::{Customer, Temper};

pub struct Order {
    pub id: String,
    pub minor: i64,
    pub ordered_at: NaiveDateTime,
}

pub fn write_order(order: &Order, customer_id: &str, item: &str, on: NaiveDate, folder: &mut Folder) -> Result<()> {
    let (amount, ordered_at) = (plain(order.minor), order.ordered_at.to_string());
    folder.row(Kind::Orders, on, &[&order.id, customer_id, &amount, CURRENCY, &ordered_at, item])
}

/// Writes the events after an accepted order.
pub fn write_what_follows(
    order: &Order,
    customer: &Customer,
    merchant: &Merchant,
    dice: &mut Dice,
    folder: &mut Folder,
) -> Result<()> {
    Story { order, customer, merchant, dice, folder }.write()
}

/// How an order is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Paying {
    OnTime,
    Late,
    InParts,
    Never,
}

struct Story<'a> {
    order: &'a Order,
    customer: &'a Customer,
    merchant: &'a Merchant,
    dice: &'a mut Dice,
    folder: &'a mut Folder,
}

impl Story<'_> {
    fn write(&mut self) -> Result<()> {
        let ordered_on = self.order.ordered_at.date();
        if self.dice.per_mille(10) {
            return self.fulfilment("cancelled", ordered_on + Duration::days(1));
        }
        let clock_on = self.deliver(ordered_on)?;
        if self.dice.per_mille(15) {
            return self.send_back(clock_on);
        }
        let due_on = clock_on + Duration::days(self.customer.term());
        let (left, from) = self.refund_part(ordered_on, clock_on)?;
        let due_on = self.ask_for_time(due_on)?;
        self.hold(clock_on, due_on)?;
        self.pay(left, from, due_on)
    }

    /// Writes the fulfilment. Returns the day on which the term starts.
    fn deliver(&mut self, ordered_on: NaiveDate) -> Result<NaiveDate> {
        if self.merchant.trade == Trade::Gym {
            return Ok(ordered_on);
        }
        let shipped_on = ordered_on + Duration::days(1 + self.dice.days(2));
        self.fulfilment("shipped", shipped_on)?;
        let delivered_on = shipped_on + Duration::days(1 + self.dice.days(3));
        self.fulfilment("delivered", delivered_on)?;
        if self.merchant.trade == Trade::Tea {
            return Ok(delivered_on);
        }
        if self.dice.per_mille(400) {
            return Ok(delivered_on + Duration::days(AUTO_CONFIRM));
        }
        let confirmed_on = delivered_on + Duration::days(1 + self.dice.days(4));
        self.fulfilment("confirmed", confirmed_on)?;
        Ok(confirmed_on)
    }

    /// Returns the whole order to the merchant. The customer never pays.
    fn send_back(&mut self, clock_on: NaiveDate) -> Result<()> {
        let sent_on = clock_on + Duration::days(1 + self.dice.days(4));
        let back_on = sent_on + Duration::days(2 + self.dice.days(4));
        if self.merchant.trade != Trade::Gym {
            self.write_hold("return", sent_on, Some(back_on))?;
        }
        self.refund(self.order.minor, back_on)
    }

    /// Sometimes refunds a part of the price. Returns the amount left to pay, and since when.
    fn refund_part(&mut self, ordered_on: NaiveDate, clock_on: NaiveDate) -> Result<(i64, NaiveDate)> {
        if !self.dice.per_mille(15) {
            return Ok((self.order.minor, ordered_on + Duration::days(1)));
        }
        let minor = self.order.minor / (2 + self.dice.days(3));
        let refunded_on = clock_on + Duration::days(1 + self.dice.days(4));
        self.refund(minor, refunded_on)?;
        Ok((self.order.minor - minor, refunded_on))
    }

    /// The due date, after an extension if one was requested. A few customers ask too early or twice, without effect.
    fn ask_for_time(&mut self, due_on: NaiveDate) -> Result<NaiveDate> {
        let share = match self.customer.temper {
            Temper::Punctual => 5,
            Temper::Forgetful => 50,
            Temper::Troubled => 200,
        };
        if !self.dice.per_mille(share) {
            return Ok(due_on);
        }
        if self.dice.per_mille(100) {
            self.extension(LONGEST_EXTENSION, due_on - Duration::days(i64::from(ASK_WITHIN) + 1))?;
            return Ok(due_on);
        }
        let asked_on = due_on - Duration::days(1 + self.dice.days(ASK_WITHIN));
        let days = LONGEST_EXTENSION - self.dice.days(5);
        self.extension(days, asked_on)?;
        let due_on = due_on + Duration::days(days);
        if self.dice.per_mille(100) {
            self.extension(days, due_on - Duration::days(1))?;
        }
        Ok(due_on)
    }

    fn hold(&mut self, clock_on: NaiveDate, due_on: NaiveDate) -> Result<()> {
        if self.customer.temper == Temper::Troubled && self.dice.per_mille(50) {
            let starts_on = due_on - Duration::days(self.dice.days(4));
            return self.write_hold("hardship", starts_on, Some(starts_on + Duration::days(20)));
        }
        match self.dice.below(1_000) {
            // Without an end date, the policy determines the length.
            0..5 => self.write_hold("dispute", due_on - Duration::days(2), None),
            5..10 if self.merchant.trade != Trade::Gym => {
                let ends_on = clock_on + Duration::days(1 + self.dice.days(4));
                self.write_hold("late_delivery", clock_on, Some(ends_on))
            }
            _ => Ok(()),
        }
    }

    fn pay(&mut self, left: i64, from: NaiveDate, due_on: NaiveDate) -> Result<()> {
        match self.paying() {
            Paying::OnTime => {
                let paid_on = from.max(due_on - Duration::days(self.dice.days(7)));
                self.payment(left, paid_on)?;
                if self.dice.per_mille(3) {
                    // The customer pays twice by mistake and has credit.
                    self.payment(left, paid_on + Duration::days(1))?;
                }
                Ok(())
            }
            Paying::Late => self.pay_late(left, due_on),
            Paying::InParts => {
                let first = left / 2;
                let paid_on = from.max(due_on - Duration::days(self.dice.days(3)));
                self.payment(first, paid_on)?;
                self.pay_late(left - first, due_on)
            }
            Paying::Never => Ok(()),
        }
    }

    fn paying(&mut self) -> Paying {
        let (on_time, late, in_parts) = match self.customer.temper {
            Temper::Punctual => (975, 20, 4),
            Temper::Forgetful => (550, 350, 80),
            Temper::Troubled => (250, 350, 200),
        };
        let thrown = self.dice.below(1_000);
        if thrown < on_time {
            Paying::OnTime
        } else if thrown < on_time + late {
            Paying::Late
        } else if thrown < on_time + late + in_parts {
            Paying::InParts
        } else {
            Paying::Never
        }
    }

    /// Half of the late customers pay their fee with the price, a few have it waived, and the others do not pay it.
    fn pay_late(&mut self, left: i64, due_on: NaiveDate) -> Result<()> {
        let days_late = 1 + self.dice.days(12);
        let paid_on = due_on + Duration::days(days_late);
        let fee = self.merchant.late_fee_minor(left, days_late - 1);
        match self.dice.below(10) {
            0 if fee > 0 => {
                self.waiver(fee, paid_on - Duration::days(1))?;
                self.payment(left, paid_on)
            }
            0..6 => self.payment(left + fee, paid_on),
            _ => self.payment(left, paid_on),
        }
    }

    fn fulfilment(&mut self, event: &str, on: NaiveDate) -> Result<()> {
        let occurred_at = instant(on, self.dice).to_string();
        self.folder.row(Kind::Fulfilments, on, &[&self.order.id, event, &occurred_at])
    }

    fn payment(&mut self, minor: i64, paid_on: NaiveDate) -> Result<()> {
        // One payment in a hundred is reported some days later, with its original date.
        let reported_on =
            if self.dice.per_mille(10) { paid_on + Duration::days(1 + self.dice.days(3)) } else { paid_on };
        let paid_at = instant(paid_on, self.dice).to_string();
        let channel = self.dice.pick(&["alipay", "alipay", "wechat", "unionpay", "bank"]);
        let key = self.key('P', Kind::Payments, reported_on);
        let cells = [&key, &self.order.id, &plain(minor), CURRENCY, &paid_at, channel];
        self.folder.row(Kind::Payments, reported_on, &cells)
    }

    fn refund(&mut self, minor: i64, on: NaiveDate) -> Result<()> {
        let refunded_at = instant(on, self.dice).to_string();
        let reason = self.dice.pick(&["买错了", "包装破损", "与描述不符", "arrived broken, returned"]);
        let key = self.key('R', Kind::Refunds, on);
        let cells = [&key, &self.order.id, &plain(minor), CURRENCY, &refunded_at, reason];
        self.folder.row(Kind::Refunds, on, &cells)
    }

    fn extension(&mut self, days: i64, on: NaiveDate) -> Result<()> {
        let requested_at = instant(on, self.dice).to_string();
        let key = self.key('X', Kind::Extensions, on);
        let cells = [&key, &self.order.id, &days.to_string(), &requested_at, self.clerk()];
        self.folder.row(Kind::Extensions, on, &cells)
    }

    fn write_hold(&mut self, reason: &str, starts_on: NaiveDate, ends_on: Option<NaiveDate>) -> Result<()> {
        let key = self.key('H', Kind::Holds, starts_on);
        let ends = ends_on.map(|day| day.to_string()).unwrap_or_default();
        let cells = [&key, &self.order.id, reason, &starts_on.to_string(), &ends];
        self.folder.row(Kind::Holds, starts_on, &cells)
    }

    fn waiver(&mut self, minor: i64, on: NaiveDate) -> Result<()> {
        let key = self.key('W', Kind::Waivers, on);
        let cells = [&key, &self.order.id, &plain(minor), CURRENCY, &on.to_string(), self.clerk()];
        self.folder.row(Kind::Waivers, on, &cells)
    }

    fn clerk(&mut self) -> &'static str {
        self.dice.pick(&["sun.hao", "zhao.min"])
    }

    /// Ids ascend by day and within a day's file.
    fn key(&self, letter: char, kind: Kind, on: NaiveDate) -> String {
        let number = self.folder.next_number(kind, on);
        format!("{letter}{}-{on}-{number:06}", self.merchant.digits)
    }
}

fn plain(minor: i64) -> String {
    Currency::parse(CURRENCY).expect("CNY is a currency").plain(minor)
}
