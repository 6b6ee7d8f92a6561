//! A letter to a customer: what a mail is about, before it has words.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

use super::reference::ReferenceKey;
use super::template_files::TemplateError;
use crate::domain::decide::reminders::Template;
use crate::domain::language_tag::LanguageTag;
use crate::domain::money::Currency;
use crate::domain::terms::letterhead::Letterheads;

/// A letter to one customer on one day.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// `local-part@domain`, without brackets. A repeated mail keeps its id, so that receivers recognise the repeat.
    pub message_id: String,
    pub to_name: String,
    pub to_address: String,
    /// The customer's.
    pub language: LanguageTag,
    /// The most serious template among the lines.
    pub template: Template,
    /// The letter that a ladder step names in place of its template's.
    pub wording: Option<String>,
    pub business_date: NaiveDate,
    pub sent_at: DateTime<Utc>,
    pub lines: Vec<Line>,
    /// What happened, the gravest first.
    pub news: Vec<News>,
}

/// Something that happened to an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    pub template: Template,
    pub merchant_id: String,
    pub order_id: String,
    pub item: Option<String>,
    pub currency: Currency,
    /// The instalment it is about, 0 for the whole order, and how many the order has.
    pub instalment: i64,
    pub instalments: i64,
    pub day: NaiveDate,
    pub minor: Option<i64>,
    /// The last day of a hold, or the next attempt of a debit.
    pub until: Option<NaiveDate>,
    /// What is still owed of the order, and when it is due, if that is known.
    pub dues: Vec<(Option<NaiveDate>, i64)>,
    /// Whether nothing is left to pay on the order.
    pub settled: bool,
}

/// The amount to pay on an instalment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub template: Template,
    pub merchant_id: String,
    pub order_id: String,
    pub item: Option<String>,
    pub currency: Currency,
    /// The number of the instalment, and how many the order has.
    pub instalment: i64,
    pub instalments: i64,
    /// The order as it was placed, and what was paid and refunded of it so far.
    pub order_minor: i64,
    pub paid_minor: i64,
    pub refunded_minor: i64,
    /// The principal outstanding.
    pub outstanding_minor: i64,
    /// The late fee owed, in addition to the principal.
    pub fee_minor: i64,
    pub due_on: NaiveDate,
    pub days_past_due: i64,
    /// The day from which an unpaid amount is reported: for a notice, or once a notice was sent.
    pub flag_on: Option<NaiveDate>,
    /// The late fee that is added if nothing is paid in time; `None` if the fee does not grow.
    pub next_fee: Option<NextFee>,
    /// Whether paying on time or late affects the customer's credit record.
    pub record_at_stake: bool,
    /// How a bank collects it; `None` if the customer pays.
    pub debited: Option<Debited>,
    /// Whether the terms still allow an extension to be granted, and goods to be given back.
    pub may_extend: bool,
    pub may_give_back: bool,
}

/// A late fee that is added at the end of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextFee {
    /// The last day to pay without it, and until when on that day, if not until midnight.
    pub unless_paid_by: NaiveDate,
    pub until: Option<NaiveTime>,
    /// How much is added; `None` if that is not known yet.
    pub minor: Option<i64>,
}

/// When a bank collects an amount, and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Debited {
    On { day: NaiveDate, minor: i64 },
    UnderWay { minor: i64 },
}

/// Who writes, and in what shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    pub name: String,
    pub address: String,
    pub reply_to: Option<String>,
    /// The name under which customers know the scheme, where a language has no other.
    pub scheme_name: String,
    pub letterheads: Letterheads,
    pub merchants: BTreeMap<String, MerchantSender>,
    /// The hosts that mails may link to.
    pub hosts: BTreeSet<String>,
    /// Signs references; without it there are none.
    pub reference_key: Option<ReferenceKey>,
    /// Whether links to pay are shown as QR codes too.
    pub pay_qr: bool,
    /// An address that takes mails of those who want no more reminders.
    pub unsubscribe_mailto: Option<String>,
    /// Whether the links to unsubscribe work with one click.
    pub unsubscribe_one_click: bool,
    /// Red, green and blue of buttons.
    pub accent: [u8; 3],
    /// A PNG image.
    pub logo: Option<Vec<u8>>,
}

/// A merchant whose orders mails are about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MerchantSender {
    pub name: String,
    /// Its name in Chinese, where its letterhead has none.
    pub name_zh: Option<String>,
    pub letterheads: Letterheads,
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Letter").field("message_id", &self.message_id).finish_non_exhaustive()
    }
}

/// Why a letter cannot become a mail. The error does not identify the recipient.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    #[error("the customer's e-mail address is not valid")]
    Address,
    #[error("the sender or reply address {0:?} is not a valid e-mail address")]
    Sender(String),
    #[error("{0:?} is not a message id such as 20260309-000012@paylater.example")]
    MessageId(String),
    #[error("nothing in the letter has the letter's template, {}", .0.name())]
    NoLine(Template),
    #[error("the notice for order {0} lacks the day from which the order is reported")]
    NoFlagDay(String),
    #[error("{0} in the mail leads to a place that the configuration does not name")]
    Link(String),
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error("the message cannot be built: {0}")]
    Message(String),
}
