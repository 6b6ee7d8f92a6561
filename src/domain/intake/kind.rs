//! The kinds of files that come in. `files::rows` knows the columns of each.

use std::fmt;

use crate::domain::facts::fact::FactKind;

/// The kind of a file's rows. A day's files are taken in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Customers,
    Agreements,
    Orders,
    Fulfilments,
    Holds,
    Extensions,
    Payments,
    DebitResults,
    Refunds,
    Bills,
    Chargebacks,
    Waivers,
    PayoutResults,
    Corrections,
    DeliveryFailures,
}

impl Kind {
    pub const ALL: [Kind; 15] = [
        Kind::Customers,
        Kind::Agreements,
        Kind::Orders,
        Kind::Fulfilments,
        Kind::Holds,
        Kind::Extensions,
        Kind::Payments,
        Kind::DebitResults,
        Kind::Refunds,
        Kind::Bills,
        Kind::Chargebacks,
        Kind::Waivers,
        Kind::PayoutResults,
        Kind::Corrections,
        Kind::DeliveryFailures,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Customers => "customers",
            Kind::Agreements => "agreements",
            Kind::Orders => "orders",
            Kind::Fulfilments => "fulfilments",
            Kind::Holds => "holds",
            Kind::Extensions => "extensions",
            Kind::Payments => "payments",
            Kind::DebitResults => "debit_results",
            Kind::Refunds => "refunds",
            Kind::Bills => "bills",
            Kind::Chargebacks => "chargebacks",
            Kind::Waivers => "waivers",
            Kind::PayoutResults => "payout_results",
            Kind::Corrections => "corrections",
            Kind::DeliveryFailures => "delivery_failures",
        }
    }

    pub fn parse(text: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == text)
    }

    /// The kind of fact that a row of this kind becomes. A row of a bill is a payment or a refund.
    pub fn fact(self) -> Option<FactKind> {
        match self {
            Kind::Fulfilments => Some(FactKind::Fulfilment),
            Kind::Holds => Some(FactKind::Hold),
            Kind::Extensions => Some(FactKind::Extension),
            Kind::Payments => Some(FactKind::Payment),
            Kind::Refunds => Some(FactKind::Refund),
            Kind::Chargebacks => Some(FactKind::Chargeback),
            Kind::Waivers => Some(FactKind::Waiver),
            Kind::Customers
            | Kind::Agreements
            | Kind::Orders
            | Kind::DebitResults
            | Kind::Bills
            | Kind::PayoutResults
            | Kind::Corrections
            | Kind::DeliveryFailures => None,
        }
    }

    /// Customers, agreements and what becomes of mails belong to the scheme, everything else to a merchant.
    pub fn is_of_scheme(self) -> bool {
        matches!(self, Kind::Customers | Kind::Agreements | Kind::DeliveryFailures)
    }

    /// Whether rows of this kind move money.
    pub fn is_money(self) -> bool {
        matches!(self, Kind::Payments | Kind::Refunds | Kind::Bills | Kind::Chargebacks)
    }

    /// Whether the books need this kind to know what customers have paid.
    pub fn reports_payments(self) -> bool {
        matches!(self, Kind::Payments | Kind::DebitResults | Kind::Refunds | Kind::Bills)
    }

    /// Whether rows of this kind are a bank's answers to instructions.
    pub fn is_result(self) -> bool {
        matches!(self, Kind::DebitResults | Kind::PayoutResults)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
