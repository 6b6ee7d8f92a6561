//! What templates can show: every name in a template is a field here. Amounts, days and names are already formatted and
//! cleaned. docs/mail-templates.md describes each.

use minijinja::Value;
use serde::Serialize;

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct View {
    /// The tag of the language, and `ltr` or `rtl`.
    pub language: String,
    pub direction: &'static str,
    pub scheme: String,
    pub contact: Option<String>,
    pub legal: Option<String>,
    pub complaints: Option<String>,
    pub unsubscribe: WayView,
    pub name: Option<String>,
    pub today: String,
    /// The merchant, if all lines have the same.
    pub merchant: Option<String>,
    /// The sum to pay on the lines with the letter's template.
    pub amount: String,
    /// The sum to pay on all lines.
    pub total: String,
    /// The sum to pay on the lines that no bank collects.
    pub to_pay: String,
    /// Whether there is more than one line.
    pub several: bool,
    /// The due date of the lines with the letter's template, if it is the same for all.
    pub due_on: Option<String>,
    /// The day from which these lines are reported, if it is the same for all.
    pub flag_on: Option<String>,
    /// Whether paying these lines on time or late affects the customer's credit record.
    pub record: bool,
    /// Whether the customer must pay any line.
    pub by_hand: bool,
    /// Whether any line is collected by debit.
    pub collected: bool,
    /// Whether the terms of any line still allow an extension.
    pub may_extend: bool,
    /// How to pay, to ask for time and to give goods back, if it is the same for all lines that it is about.
    pub pay: WayView,
    pub extend: WayView,
    pub give_back: WayView,
    /// Whether lines have ways of their own.
    pub pay_in_lines: bool,
    pub extend_in_lines: bool,
    /// The accent colour, and the colour of text on it.
    pub accent: String,
    pub on_accent: String,
    /// The source of the logo.
    pub logo: Option<String>,
    /// What a list of mails shows after the subject.
    pub preheader: Option<String>,
    pub lines: Vec<LineView>,
    /// What happened, the gravest first.
    pub news: Vec<NewsView>,
    /// The rendered news, for the letter.
    pub events: Option<Value>,
    /// The rendered lines, for the letter.
    pub table: Option<Value>,
    /// The rendered letter, for the layout.
    pub letter: Option<Value>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct LineView {
    pub state: &'static str,
    pub merchant: String,
    pub order_id: String,
    pub item: Option<String>,
    /// Which instalment of how many; only if there are several.
    pub instalment: Option<i64>,
    pub instalments: Option<i64>,
    pub order_total: String,
    pub paid: Option<String>,
    pub refunded: Option<String>,
    pub amount: String,
    pub fee: Option<String>,
    pub due_on: String,
    pub days_left: i64,
    pub days_past_due: i64,
    pub flag_on: Option<String>,
    /// The last day to pay before a late fee is charged or grows, until when on that day, and by how much.
    pub fee_after: Option<String>,
    pub fee_until: Option<String>,
    pub next_fee: Option<String>,
    /// Whether a bank collects the amount.
    pub debited: bool,
    /// The day of the debit.
    pub collected_on: Option<String>,
    /// Whether the bank has been asked to collect the amount.
    pub being_collected: bool,
    pub collected_amount: Option<String>,
    pub pay: WayView,
    pub extend: WayView,
    pub give_back: WayView,
}

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct NewsView {
    pub state: &'static str,
    pub merchant: String,
    pub order_id: String,
    pub item: Option<String>,
    pub instalment: Option<i64>,
    pub instalments: Option<i64>,
    pub day: String,
    pub amount: Option<String>,
    pub until: Option<String>,
    /// What is still owed of the order.
    pub dues: Vec<DueView>,
    pub settled: bool,
}

/// An amount and when it is due, if that is known.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct DueView {
    pub amount: String,
    pub due_on: Option<String>,
}

/// A way to do something: a link or words, and the source of the link's QR code.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct WayView {
    pub link: Option<String>,
    pub words: Option<String>,
    pub qr: Option<String>,
}
