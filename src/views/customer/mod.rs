//! The view of `customer`: what a customer who calls wants to know, at each merchant. It has no name and no address.
//!
//! `find` turns what the caller can name into a customer id, `load` reads the books, `order` looks at one order.

mod find;
mod load;
mod order;

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::Amount;
use super::instalment::Instalment;
use crate::domain::intake::code::{DeclineCode, RowCode};

pub use find::{NotFound, Search};

/// What is asked besides what is owed now.
#[derive(Debug, Default)]
pub struct Questions {
    /// What will be owed on this day?
    pub on: Option<NaiveDate>,
    /// What pays off everything on this day?
    pub pay_off_on: Option<NaiveDate>,
    /// What would an extension by so many days change?
    pub extend: Option<i64>,
    /// Of this order only.
    pub order: Option<String>,
}

/// A customer at a glance.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CustomerGlance {
    pub customer_id: String,
    /// The open business day. What is owed now is owed on this day.
    pub business_date: NaiveDate,
    /// What is owed now, in each currency.
    pub owed: Vec<Owing>,
    /// What will be owed on another day if nothing is paid; null unless asked for.
    pub owed_on: Option<OnDay>,
    /// What pays off everything on a day; null unless asked for.
    pub pay_off: Option<OnDay>,
    /// The business day on which the mail address was refused for good.
    pub address_failed_on: Option<NaiveDate>,
    /// Merchants with an agreement or an order of the customer.
    pub merchants: Vec<AtMerchant>,
}

/// What is owed on a day, in each currency.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OnDay {
    pub on: NaiveDate,
    pub owed: Vec<Owing>,
}

/// What is owed of an order or of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Owing {
    /// Everything the customer still has to pay: principal, late fee, and what was written off.
    pub amount: Amount,
    /// Of that, late fee.
    pub late_fee: Amount,
    /// Of that, past its due date.
    pub overdue: Amount,
}

/// The customer at a merchant.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AtMerchant {
    pub merchant_id: String,
    pub merchant_name: String,
    /// Its Chinese name, if it has one.
    pub merchant_name_zh: Option<String>,
    /// The agreement that counts for an order of today; null if the service was never opened here.
    pub agreement: Option<AgreementNow>,
    /// The limit by today's policy and the customer's score; null if the score has none.
    pub limit: Option<Amount>,
    /// What is left of the limit.
    pub limit_left: Option<Amount>,
    /// Why an order of today would be declined whatever its amount; null if it would not.
    pub no_new_orders: Option<Reason>,
    /// Why mails, notices, credit flags and debits are held back, in words.
    pub held_back: Option<String>,
    /// By the day on which they were placed.
    pub orders: Vec<CustomerOrder>,
    /// Orders that were declined.
    pub declined: Vec<DeclinedOrder>,
    /// By day. Mails about several orders are listed once.
    pub mails: Vec<CustomerMail>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct AgreementNow {
    pub open: bool,
    pub since: DateTime<Utc>,
}

/// A reason with its code.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Reason {
    pub code: RowCode,
    /// In words.
    pub message: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct DeclinedOrder {
    pub order_id: String,
    pub ordered_on: NaiveDate,
    pub amount: Amount,
    pub code: DeclineCode,
}

/// An accepted order.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CustomerOrder {
    pub order_id: String,
    pub item: Option<String>,
    pub ordered_on: NaiveDate,
    pub amount: Amount,
    pub state: OrderState,
    pub owed: Owing,
    /// On the day that was asked for, if nothing is paid.
    pub owed_on: Option<Owing>,
    /// What pays it off on the day that was asked for.
    pub pay_off: Option<Amount>,
    pub instalments: Vec<Instalment>,
    /// The end of this day adds a late fee, or adds to it, if nothing is paid by then.
    pub fee_grows_on: Option<NaiveDate>,
    /// All payments less those taken back, and the day of the last one.
    pub paid: Amount,
    pub last_paid_on: Option<NaiveDate>,
    /// Why it is held on the open day: return, dispute, late_delivery, hardship.
    pub hold: Option<String>,
    pub debits: Vec<Debit>,
    pub credit: Option<CreditBack>,
    pub credit_record: Vec<CreditRecordStep>,
    pub extension: Option<Extension>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// Its day is after the open business day.
    ToCome,
    Open,
    /// Written off, and not paid since.
    WrittenOff,
    Settled,
}

/// The next debit of an instalment, or the one that the bank was asked for.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Debit {
    pub instalment: i64,
    pub state: DebitState,
    /// When the bank is asked, or was asked; null if it is not asked again.
    pub on: Option<NaiveDate>,
    /// What the bank was asked for.
    pub amount: Option<Amount>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DebitState {
    Planned,
    /// Planned for the day on which a hold ends.
    HeldUntil,
    /// Under way: the bank was asked and has not answered.
    Asked,
    NotAgain,
}

/// Money of the customer: too much was paid, or something was refunded after it was paid.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CreditBack {
    /// Negative if more was paid out than there was.
    pub amount: Amount,
    pub state: CreditState,
    /// When the bank is asked to pay it back.
    pub on: Option<NaiveDate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CreditState {
    Planned,
    /// The bank was asked and has not answered.
    Asked,
    /// Kept while something of the order is overdue.
    KeptWhileOverdue,
    Failed,
    /// The policy has no pay-outs.
    ByHand,
    /// The customer had it back already and owes it.
    PaidOutTooMuch,
}

/// A step of the credit record.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CreditRecordStep {
    pub instalment: i64,
    pub since: NaiveDate,
    pub status: String,
    /// In words.
    pub reason: String,
}

/// A mail, or reminders that were not sent.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CustomerMail {
    pub on: NaiveDate,
    /// upcoming, due_today, overdue or notice.
    pub template: String,
    pub order_ids: Vec<String>,
    /// queued, sending, sent, withdrawn, failed or unknown; not_planned if it never became a mail.
    pub status: String,
    /// Why it was not sent.
    pub why: Option<String>,
}

/// What an extension of an order, asked for on the open day, would change by the end of that day.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Extension {
    pub days: i64,
    /// Why the policy does not grant it.
    pub refused: Option<Reason>,
    /// Empty if it is refused.
    pub changes: Vec<ExtensionChange>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct ExtensionChange {
    pub instalment: i64,
    pub before: AtDaysEnd,
    pub after: AtDaysEnd,
}

#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AtDaysEnd {
    pub due_on: Option<NaiveDate>,
    pub late_fee: Amount,
    pub days_past_due: i64,
    pub credit_status: String,
}
