//! Made-up customers, and the merchants at which they opened the service.
//!
//! A customer is a function of the seed and a number. Customers are not kept in memory: an order that needs a customer
//! generates the same customer again.

use anyhow::Result;
use chrono::{Duration, NaiveDate};

use super::dice::{Dice, Whose};
use super::files::{Folder, Kind, instant};
use super::merchant::{LONG_TERM_FROM, LOWEST_SCORE, Merchant};

/// The number of merchants at which a customer opens the service.
const OPENED_AT: u64 = 3;

/// How reliably a customer pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Temper {
    Punctual,
    Forgetful,
    Troubled,
}

/// Whether merchants accept a customer's orders, and if not, why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Record {
    Good,
    NotVerified,
    NoBankCard,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OpeningState {
    Open,
    Closed,
    NotAuthorised,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    number: u64,
    score: u64,
    record: Record,
    openings: [OpeningState; OPENED_AT as usize],
    pub temper: Temper,
}

impl Customer {
    pub fn term(&self) -> i64 {
        if self.score >= LONG_TERM_FROM { 14 } else { 7 }
    }

    pub fn id(&self) -> String {
        customer_id(self.number)
    }
}

/// All customers of a scheme, and the merchants at which they opened the service.
#[derive(Debug, Clone, Copy)]
pub struct People {
    pub seed: u64,
    pub customers: u64,
    pub merchants: u64,
}

impl People {
    pub fn customer(&self, number: u64) -> Customer {
        self.with_dice(number).0
    }

    /// A random customer among those who opened the service at a merchant.
    pub fn someone_at(&self, merchant: u64, dice: &mut Dice) -> u64 {
        // A customer opens the service at the merchants that follow the customer's number, cyclically. So in every block of as
        // many customers as there are merchants, a merchant's customers are at the same few positions.
        let block = dice.below(self.customers) / self.merchants * self.merchants;
        let place = (merchant + self.merchants - dice.below(self.opened_at())) % self.merchants;
        let number = block + place;
        if number < self.customers { number } else { number - self.merchants }
    }

    /// The approximate number of a merchant's customers.
    pub fn at_each_merchant(&self) -> u64 {
        self.customers * self.opened_at() / self.merchants
    }

    /// Whether a merchant accepts this customer's orders.
    pub fn is_welcome(&self, customer: &Customer, merchant: u64) -> bool {
        let opened = (merchant + self.merchants - customer.number % self.merchants) % self.merchants;
        let opening = usize::try_from(opened).ok().and_then(|opened| customer.openings.get(opened));
        customer.record == Record::Good && customer.score >= LOWEST_SCORE && opening == Some(&OpeningState::Open)
    }

    /// Writes all customers and agreements.
    pub fn write(&self, merchants: &[Merchant], on: NaiveDate, folder: &mut Folder) -> Result<()> {
        for number in 0..self.customers {
            let (customer, mut dice) = self.with_dice(number);
            self.write_customer(&customer, on, &mut dice, folder)?;
            for (opened, opening) in (0..self.opened_at()).zip(customer.openings) {
                let at = (number + opened) % self.merchants;
                let merchant = &merchants[usize::try_from(at)?];
                let status = if opening == OpeningState::Closed { "closed" } else { "open" };
                let authorised = (opening != OpeningState::NotAuthorised).to_string();
                let changed_at = instant(on - Duration::days(1 + dice.days(400)), &mut dice).to_string();
                let id = format!("A{:08}-{}", number + 1, opened + 1);
                folder.row(
                    Kind::Agreements,
                    on,
                    &[&id, &customer.id(), &merchant.id, status, &changed_at, &authorised],
                )?;
            }
        }
        Ok(())
    }

    fn write_customer(&self, customer: &Customer, on: NaiveDate, dice: &mut Dice, folder: &mut Folder) -> Result<()> {
        let chinese = dice.per_mille(800);
        let (locale, name) = if chinese {
            ("zh-CN", format!("{}{}", dice.pick(&FAMILY_NAMES_ZH), dice.pick(&GIVEN_NAMES_ZH)))
        } else {
            ("en", format!("{} {}", dice.pick(&GIVEN_NAMES_EN), dice.pick(&FAMILY_NAMES_EN)))
        };
        let abroad = !chinese && dice.per_mille(300);
        let zone = if abroad { dice.pick(&["Europe/London", "America/New_York"]) } else { "Asia/Shanghai" };
        let id = customer.id();
        let email = format!("{}@example.com", id.to_ascii_lowercase());
        let score = customer.score.to_string();
        let verified = (customer.record != Record::NotVerified).to_string();
        let card = (customer.record != Record::NoBankCard).to_string();
        folder.row(Kind::Customers, on, &[&id, &name, &email, locale, zone, &score, &verified, &card])
    }

    /// The customer, and the dice for the values that occur only in the customers file.
    fn with_dice(&self, number: u64) -> (Customer, Dice) {
        let mut dice = Dice::new(self.seed, Whose::Customer(number));
        let temper = match dice.below(100) {
            0..85 => Temper::Punctual,
            85..97 => Temper::Forgetful,
            _ => Temper::Troubled,
        };
        let record = match dice.below(1_000) {
            0..5 => Record::NotVerified,
            5..10 => Record::NoBankCard,
            _ => Record::Good,
        };
        let score = if dice.per_mille(10) {
            LOWEST_SCORE - 1 - dice.below(150)
        } else {
            LOWEST_SCORE + dice.below(160) + dice.below(160)
        };
        let openings = std::array::from_fn(|_| match dice.below(1_000) {
            0..5 => OpeningState::Closed,
            5..10 => OpeningState::NotAuthorised,
            _ => OpeningState::Open,
        });
        (Customer { number, score, record, openings, temper }, dice)
    }

    fn opened_at(&self) -> u64 {
        OPENED_AT.min(self.merchants)
    }
}

pub fn customer_id(number: u64) -> String {
    format!("U{:08}", number + 1)
}

const FAMILY_NAMES_ZH: [&str; 20] = [
    "王", "李", "张", "刘", "陈", "杨", "黄", "赵", "吴", "周", "徐", "孙", "马", "朱", "胡", "郭", "何", "林", "高",
    "欧阳",
];
const GIVEN_NAMES_ZH: [&str; 20] = [
    "伟", "芳", "娜", "敏", "静", "强", "磊", "洋", "若曦", "嘉豪", "子涵", "思远", "雨桐", "浩然", "欣怡", "志强",
    "晓彤", "俊杰", "梦洁", "文博",
];
const GIVEN_NAMES_EN: [&str; 12] =
    ["Alice", "Ben", "Chloe", "Daniel", "Emma", "Farid", "Grace", "Hugo", "Ines", "Jonas", "Siobhan", "Tom"];
const FAMILY_NAMES_EN: [&str; 12] =
    ["Baker", "Clarke", "Evans", "Fischer", "Garcia", "Hill", "Jensen", "Khan", "Moreau", "O'Brien", "Smith", "Young"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_orders_has_opened_the_service_there() {
        for (customers, merchants) in [(1, 1), (2, 2), (3, 3), (10, 3), (10, 7), (11, 10), (1_000, 2)] {
            let people = People { seed: 1, customers, merchants };
            let mut dice = Dice::new(1, Whose::Order { merchant: 0, number: 0 });
            for merchant in (0..merchants).cycle().take(500) {
                let number = people.someone_at(merchant, &mut dice);
                assert!(number < customers, "{customers} customers, {merchants} merchants: {number}");
                let opened = (merchant + merchants - number % merchants) % merchants;
                assert!(opened < OPENED_AT.min(merchants), "customer {number} at merchant {merchant} of {merchants}");
            }
        }
    }

    #[test]
    fn most_are_punctual_and_welcome() {
        let people = People { seed: 1, customers: 10_000, merchants: 1 };
        let everyone: Vec<Customer> = (0..10_000).map(|number| people.customer(number)).collect();
        let punctual = everyone.iter().filter(|customer| customer.temper == Temper::Punctual).count();
        assert!((8_300..8_700).contains(&punctual), "{punctual}");
        let unwelcome = everyone.iter().filter(|customer| !people.is_welcome(customer, 0)).count();
        assert!((200..400).contains(&unwelcome), "{unwelcome}");
    }
}
