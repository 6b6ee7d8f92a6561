//! Made-up merchants: their trade, their terms, and the configuration of the scheme.

use std::fmt::Write as _;

use chrono::NaiveDate;
use rust_decimal::Decimal;

use crate::domain::money::rated;

use super::files::{CURRENCY, Kind};

/// Orders of customers below this score are declined.
pub const LOWEST_SCORE: u64 = 550;
/// From this score, customers have 14 days to pay instead of 7.
pub const LONG_TERM_FROM: u64 = 650;

/// What a merchant sells. The trade determines when the term starts, and the late fee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trade {
    /// The term starts on delivery; a daily late fee.
    Tea,
    /// The term starts on confirmed receipt; a flat late fee.
    Books,
    /// The term starts with the order; a percentage as late fee, once.
    Gym,
}

/// The days after delivery until the receipt of books counts as confirmed.
pub const AUTO_CONFIRM: i64 = 7;
/// Extensions are requested at most this many days before the due date.
pub const ASK_WITHIN: u32 = 5;
/// The longest extension, in days.
pub const LONGEST_EXTENSION: i64 = 7;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merchant {
    pub number: u64,
    /// The number as in ids, from 01, with as many digits as the last merchant needs.
    pub digits: String,
    pub id: String,
    pub trade: Trade,
}

impl Merchant {
    /// Merchant `number`, counted from 0.
    pub fn new(number: u64, merchants: u64) -> Merchant {
        let width = merchants.to_string().len().max(2);
        let digits = format!("{:0width$}", number + 1);
        let id = format!("M{digits}");
        let trade = match number % 3 {
            0 => Trade::Tea,
            1 => Trade::Books,
            _ => Trade::Gym,
        };
        Merchant { number, digits, id, trade }
    }

    /// The name of the merchant's folder and policy.
    pub fn slug(&self) -> String {
        self.id.to_ascii_lowercase()
    }

    pub fn items(&self) -> &'static [&'static str] {
        match self.trade {
            Trade::Tea => &["龙井 100 克", "普洱 茶饼", "茉莉花茶", "Earl Grey, tin", "白瓷盖碗"],
            Trade::Books => &["小王子 精装", "中国建筑史", "儿童百科 全四册", "The \"Little\" Atlas", "高中数学 讲义"],
            Trade::Gym => &["月卡", "季卡", "私教课 × 5", "Yoga class", "游泳 十次"],
        }
    }

    /// The late fee this many days after the due date, if nothing has been paid. A customer who pays late pays this amount as
    /// well; the fee that is really owed follows from the policy below.
    pub fn late_fee_minor(&self, principal_minor: i64, days_late: i64) -> i64 {
        match self.trade {
            Trade::Tea => rated(principal_minor * (days_late - 3).max(0), Decimal::new(5, 4)),
            Trade::Books if days_late >= 2 => 500.min(principal_minor / 10),
            Trade::Gym if days_late >= 1 => rated(principal_minor, Decimal::new(2, 2)).min(2_000),
            Trade::Books | Trade::Gym => 0,
        }
    }

    /// The merchant's policy. `orders_each` is the approximate number of orders per customer.
    pub fn policy_toml(&self, effective_from: NaiveDate, orders_each: u64) -> String {
        // The most expensive order costs 1,023.90. The limit leaves room for ten of these and for as many more as a customer
        // is likely to make, so hardly any order exceeds it.
        let limit = 1_000 * (10 + 3 * orders_each);
        let higher = 2 * limit;
        let (terms, fee) = match self.trade {
            Trade::Tea => (TEA_TERMS.to_owned(), TEA_FEE),
            Trade::Books => (format!("{BOOKS_TERMS}{AUTO_CONFIRM} }}\n"), BOOKS_FEE),
            Trade::Gym => (GYM_TERMS.to_owned(), GYM_FEE),
        };
        format!(
            r#"# A made-up merchant's terms.

[[version]]
effective_from = "{effective_from}"
currency = "{CURRENCY}"
{terms}# From this credit score on: how much may be owed at once, and how many days there are to pay.
# The limits are so high that hardly an order is declined for them.
bands = [
  {{ score = {LOWEST_SCORE}, limit = "{limit}.00", term = 7 }},
  {{ score = {LONG_TERM_FROM}, limit = "{higher}.00", term = 14 }},
]
service_fee = "0.006"               # what the merchant pays of each order, after refunds
payable_after = 1
refund_window = 30
allocation = "fee_first"            # a payment goes to the late fee first, then to the price

{fee}
[version.extension]
times = 1
days = {LONGEST_EXTENSION}
ask_within = {ASK_WITHIN}                      # only in the last days before the due date
when_overdue = false

[version.holds.return]              # the parcel is on its way back
days = 28
effects = ["clock", "fees", "contact", "credit"]

[version.holds.dispute]             # the customer says something is wrong
days = 14
effects = ["fees", "contact", "credit"]

[version.holds.late_delivery]       # the merchant's fault: these days do not count towards the term
days = 14
effects = ["clock", "fees"]

[version.holds.hardship]            # illness, lost job: leave the customer in peace
days = 30
effects = ["fees", "contact", "credit"]

[version.reminders]
steps = [-3, -1, 0, 1, 3, 7]        # days before (-) and after the due date

[version.credit]
notice_after = 3                    # days past due
flag_after = 5                      # days after the notice was sent
"#
        )
    }
}

const TEA_TERMS: &str = "clock = \"delivered\"\n";
const TEA_FEE: &str = r#"[version.late_fee]
kind = "daily"                      # counted anew each day on what is still owed
rate = "0.0005"                     # 0.05 % a day
grace = 3                           # three days without a fee
cap_order_share = "0.25"            # never more than a quarter of the order
cap_annual_rate = "0.24"            # nor more than 24 % a year
"#;
const BOOKS_TERMS: &str = "clock = \"confirmed\"\nauto_confirm = { after = \"delivered\", days = ";
const BOOKS_FEE: &str = r#"[version.late_fee]
kind = "flat"                       # once, if something is still owed after the grace days
amount = "5.00"
grace = 2
cap_order_share = "0.10"
"#;
const GYM_TERMS: &str = "clock = \"ordered\"\n";
const GYM_FEE: &str = r#"[version.late_fee]
kind = "percent"                    # once, of what is still owed after the grace day
rate = "0.02"
grace = 1
cap_amount = "20.00"
"#;

/// The scheme's configuration.
pub fn paylater_toml(seed: u64, starts_on: NaiveDate, merchants: &[Merchant]) -> String {
    let mut text = format!(
        r#"# A made-up scheme. All people, merchants and orders in it are invented.

[scheme]
name = "Made-up scheme, seed {seed}"
time_zone = "Asia/Shanghai"
starts_on = "{starts_on}"
clock = "business"
home = "run"                       # everything paylater makes; relative to this file

[store]
url = "sqlite:paylater.db"         # relative to home, or postgres://…

[mail]
transport = "folder"               # or "smtp"
from = "Made-up scheme <no-reply@example.com>"
"#
    );
    for merchant in merchants {
        let (id, digits, slug) = (&merchant.id, &merchant.digits, merchant.slug());
        write!(text, "\n[[merchant]]\nid = \"{id}\"\nname = \"Shop {digits}\"\npolicy = \"policies/{slug}.toml\"\n")
            .expect("a String takes all that is written to it");
    }
    for kind in Kind::OF_SCHEME {
        text += &feed_toml("scheme", kind, None);
    }
    for merchant in merchants {
        for kind in Kind::OF_MERCHANT {
            text += &feed_toml(&merchant.slug(), kind, Some(&merchant.id));
        }
    }
    text
}

fn feed_toml(folder: &str, kind: Kind, merchant: Option<&str>) -> String {
    let kind = kind.name();
    let merchant = merchant.map(|id| format!("merchant = \"{id}\"\n")).unwrap_or_default();
    format!(
        r#"
[[feed]]
name = "{folder}-{kind}"
folder = "inbox/{folder}"
pattern = "{kind}-{{date}}.csv"
kind = "{kind}"
{merchant}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_as_long_as_the_last_one_needs() {
        for (number, merchants, id) in [(0, 1, "M01"), (1, 2, "M02"), (98, 99, "M99"), (0, 100, "M001")] {
            assert_eq!(Merchant::new(number, merchants).id, id);
        }
    }

    #[test]
    fn what_late_payers_pay_on_top() {
        for (trade, days_late, fee) in [
            (0, 3, 0),
            (0, 4, 5),
            (0, 13, 50),
            (1, 1, 0),
            (1, 2, 500),
            (1, 30, 500),
            (2, 0, 0),
            (2, 1, 200),
            (2, 9, 200),
        ] {
            assert_eq!(Merchant::new(trade, 3).late_fee_minor(10_000, days_late), fee, "{trade}, {days_late} days");
        }
        assert_eq!(Merchant::new(1, 3).late_fee_minor(3_800, 2), 380, "capped by a tenth of the order");
        assert_eq!(Merchant::new(2, 3).late_fee_minor(200_000, 2), 2_000, "capped");
    }

    #[test]
    fn configuration_and_policies_are_toml() {
        let merchants: Vec<Merchant> = (0..3).map(|number| Merchant::new(number, 3)).collect();
        let starts_on = "2026-03-01".parse().unwrap();
        let scheme: toml::Table = paylater_toml(7, starts_on, &merchants).parse().unwrap();
        assert_eq!(scheme["scheme"]["name"].as_str(), Some("Made-up scheme, seed 7"));
        assert_eq!(scheme["merchant"].as_array().unwrap().len(), 3);
        let feeds = scheme["feed"].as_array().unwrap();
        assert_eq!(feeds.len(), 2 + 3 * 7);
        assert_eq!(feeds[2]["pattern"].as_str(), Some("orders-{date}.csv"));
        assert!(feeds[0].get("merchant").is_none() && feeds[2]["merchant"].as_str() == Some("M01"));
        for (merchant, clock, fee) in [(0, "delivered", "daily"), (1, "confirmed", "flat"), (2, "ordered", "percent")] {
            let policy: toml::Table = merchants[merchant].policy_toml(starts_on, 5).parse().unwrap();
            let version = &policy["version"][0];
            assert_eq!(version["clock"].as_str(), Some(clock));
            assert_eq!(version["late_fee"]["kind"].as_str(), Some(fee));
            assert_eq!(version["bands"][0]["limit"].as_str(), Some("25000.00"));
        }
    }
}
