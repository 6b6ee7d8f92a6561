//! Incoming rows: parses the cells of each kind of file into a typed row with its key.

pub mod bills;
pub mod cell;
pub mod corrections;
mod customers;
mod delivery_failures;
pub mod email;
pub mod facts;
mod key;
mod orders;
mod results;

use sha2::{Digest, Sha256};

use crate::domain::facts::correction::CorrectionRow;
use crate::domain::facts::customer::{AgreementRow, Customer};
use crate::domain::facts::delivery_failure::DeliveryFailure;
use crate::domain::facts::fact::FactRow;
use crate::domain::facts::order::OrderRow;
use cell::{Cells, Rejection};

pub use crate::domain::intake::kind::Kind;
pub use bills::BillRow;
pub use results::ResultRow;

/// The columns of each kind.
impl Kind {
    /// The required columns. A file may have more, in any order.
    pub fn required(self) -> &'static [&'static str] {
        match self {
            Kind::Customers => customers::COLUMNS,
            Kind::Agreements => customers::AGREEMENT_COLUMNS,
            Kind::Orders => orders::COLUMNS,
            Kind::Fulfilments => facts::FULFILMENT_COLUMNS,
            Kind::Holds => facts::HOLD_COLUMNS,
            Kind::Extensions => facts::EXTENSION_COLUMNS,
            Kind::Payments => facts::PAYMENT_COLUMNS,
            Kind::DebitResults => results::DEBIT_COLUMNS,
            Kind::Refunds => facts::REFUND_COLUMNS,
            Kind::Bills => bills::COLUMNS,
            Kind::Chargebacks => facts::CHARGEBACK_COLUMNS,
            Kind::Waivers => facts::WAIVER_COLUMNS,
            Kind::PayoutResults => results::PAYOUT_COLUMNS,
            Kind::Corrections => corrections::COLUMNS,
            Kind::DeliveryFailures => delivery_failures::COLUMNS,
        }
    }

    /// The optional columns.
    pub fn optional(self) -> &'static [&'static str] {
        match self {
            Kind::Customers | Kind::Agreements | Kind::Fulfilments => &[],
            Kind::Orders => &["item", "shipped_at", "delivered_at", "confirmed_at"],
            Kind::Holds => &["ends_on"],
            Kind::Payments => &["channel"],
            Kind::Extensions | Kind::Waivers => &["approved_by"],
            Kind::Refunds => &["reason", "status"],
            Kind::Chargebacks | Kind::DebitResults | Kind::PayoutResults => &["reason"],
            Kind::Corrections => corrections::OPTIONAL,
            Kind::DeliveryFailures => &["detail"],
            Kind::Bills => &["refund_id", "fee", "channel"],
        }
    }

    /// The column with a row's key, by which even an unreadable row is named.
    pub fn key_column(self) -> &'static str {
        self.required()[0]
    }
}

/// A parsed row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// A fingerprint of the content. A row with a known key and the same content is a duplicate; with other content, a
    /// conflict.
    pub fingerprint: i64,
    pub row: Row,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    Customer(Customer),
    Opening(AgreementRow),
    Order(OrderRow),
    Fact(FactRow),
    Result(ResultRow),
    Bill(BillRow),
    Correction(CorrectionRow),
    DeliveryFailure(DeliveryFailure),
}

impl Row {
    /// The sender's key.
    pub fn key(&self) -> &str {
        match self {
            Row::Customer(customer) => &customer.customer_id,
            Row::Opening(opening) => &opening.agreement.agreement_id,
            Row::Order(order) => &order.order_id,
            Row::Fact(fact) => &fact.id,
            Row::Result(result) => &result.id,
            Row::Bill(bill) => &bill.fact.id,
            Row::Correction(correction) => &correction.id,
            Row::DeliveryFailure(failure) => &failure.message_id,
        }
    }
}

/// Parses a row.
pub fn parse(kind: Kind, cells: &Cells<'_>) -> Result<Parsed, Rejection> {
    match kind {
        Kind::Customers => customers::parse(cells),
        Kind::Agreements => customers::parse_agreement(cells),
        Kind::Orders => orders::parse(cells),
        Kind::DebitResults | Kind::PayoutResults => results::parse(kind, cells),
        Kind::Bills => bills::parse(cells),
        Kind::Corrections => corrections::parse(cells),
        Kind::DeliveryFailures => delivery_failures::parse(cells),
        Kind::Fulfilments
        | Kind::Holds
        | Kind::Extensions
        | Kind::Payments
        | Kind::Refunds
        | Kind::Chargebacks
        | Kind::Waivers => facts::parse(kind, cells),
    }
}

/// A fingerprint of typed values: `5` and `5.00`, or the same instant in two time zones, have the same fingerprint.
pub struct Fingerprint(String);

impl Fingerprint {
    pub fn of(kind: &str) -> Fingerprint {
        Fingerprint(String::with_capacity(120)).and(kind)
    }

    #[must_use]
    pub fn and(mut self, value: impl std::fmt::Display) -> Fingerprint {
        use std::fmt::Write as _;
        write!(self.0, "{value}\u{1f}").expect("writing to a string cannot fail");
        self
    }

    #[must_use]
    pub fn and_maybe(self, value: Option<impl std::fmt::Display>) -> Fingerprint {
        match value {
            Some(value) => self.and(value),
            None => self.and(""),
        }
    }

    pub fn finish(self) -> i64 {
        let hash = Sha256::digest(self.0.as_bytes());
        let first: [u8; 8] = std::array::from_fn(|i| hash[i]);
        i64::from_be_bytes(first)
    }
}
