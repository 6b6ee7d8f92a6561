//! Turns a letter to a customer into a mail. The same letter gives the same bytes.
//!
//! The names of customers, items and merchants come from files. They are cleaned before they reach a header or a template, so
//! that they cannot end a line, start a header or change the direction of the surrounding text.

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use chrono::{DateTime, NaiveDate, Utc};
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};

pub use super::language::Language;
use super::templates::{LineView, View};
pub use super::templates::{TemplateError, Templates};
use crate::domain::calendar::days_between;
use crate::domain::decide::reminders::Template;
use crate::domain::money::Currency;

/// Longer names and items are shortened in mails: readers need to recognise them, not to see them in full.
const LONGEST_NAME: usize = 60;
const LONGEST_ITEM: usize = 120;
pub(super) const LONGEST_SUBJECT: usize = 150;

/// A letter to one customer on one day.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// `local-part@domain`, without brackets. A repeated mail keeps its id, so that receivers recognise the repeat.
    pub message_id: String,
    pub to_name: String,
    pub to_address: String,
    pub language: Language,
    /// The most serious template among the lines.
    pub template: Template,
    pub business_date: NaiveDate,
    pub sent_at: DateTime<Utc>,
    pub lines: Vec<Line>,
}

/// The amount to pay on an instalment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub template: Template,
    pub merchant_name: String,
    pub order_id: String,
    pub item: Option<String>,
    pub currency: Currency,
    /// The principal outstanding.
    pub outstanding_minor: i64,
    /// The late fee owed, in addition to the principal.
    pub fee_minor: i64,
    pub due_on: NaiveDate,
    pub days_past_due: i64,
    /// For a notice: the day from which an unpaid amount is reported.
    pub flag_on: Option<NaiveDate>,
    /// The day at whose end an unpaid amount incurs a late fee, or a higher one; `None` if the fee does not grow.
    pub fee_grows_on: Option<NaiveDate>,
    /// Whether paying on time or late affects the customer's credit record.
    pub record_at_stake: bool,
    /// How a bank collects it; `None` if the customer pays.
    pub debited: Option<Debited>,
}

/// When a bank collects an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Debited {
    On(NaiveDate),
    UnderWay,
}

/// The sender of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    pub name: String,
    pub address: String,
    pub reply_to: Option<String>,
    /// The name under which customers know the scheme.
    pub scheme_name: String,
    /// Where customers find help, in one line.
    pub contact: Option<String>,
}

/// A message that is ready to send, with its texts.
#[derive(Clone)]
pub struct Mail {
    pub message_id: String,
    pub subject: String,
    pub text: String,
    pub html: String,
    message: Message,
}

impl Mail {
    /// A mail without HTML.
    pub(super) fn of_text(message_id: String, subject: String, text: String, message: Message) -> Mail {
        Mail { message_id, subject, text, html: String::new(), message }
    }

    /// The bytes of the message.
    pub fn bytes(&self) -> Vec<u8> {
        self.message.formatted()
    }

    pub fn message(&self) -> &Message {
        &self.message
    }
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("message_id", &self.message_id).finish_non_exhaustive()
    }
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
    #[error("no line of the letter has the letter's template, {}", .0.name())]
    NoLine(Template),
    #[error("the notice for order {0} lacks the day from which the order is reported")]
    NoFlagDay(String),
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error("the message cannot be built: {0}")]
    Message(String),
}

/// Composes a letter as text and HTML.
pub fn compose(letter: &Letter, sender: &Sender, templates: &Templates) -> Result<Mail, ComposeError> {
    if !is_message_id(&letter.message_id) {
        return Err(ComposeError::MessageId(letter.message_id.clone()));
    }
    let to = mailbox(&letter.to_name, &letter.to_address).ok_or(ComposeError::Address)?;
    let own_mailbox =
        |address: &str| mailbox(&sender.name, address).ok_or_else(|| ComposeError::Sender(address.to_owned()));
    let from = own_mailbox(&sender.address)?;
    let reply_to = sender.reply_to.as_deref().map(own_mailbox).transpose()?;

    let wording = templates.render(letter.template, letter.language, view(letter, sender)?)?;
    let subject = cleaned(&wording.subject, LONGEST_SUBJECT);

    let mut message = Message::builder()
        .message_id(Some(format!("<{}>", letter.message_id)))
        .date(date_header(letter.sent_at))
        .from(from)
        .to(to)
        .subject(subject.clone())
        // Prevents automatic replies (RFC 3834).
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()));
    if let Some(reply_to) = reply_to {
        message = message.reply_to(reply_to);
    }
    let body = MultiPart::alternative()
        .boundary(boundary(&letter.message_id))
        .singlepart(part(ContentType::TEXT_PLAIN, letter.language, &wording.text))
        .singlepart(part(ContentType::TEXT_HTML, letter.language, &wording.html));
    let message = message.multipart(body).map_err(|error| ComposeError::Message(error.to_string()))?;
    Ok(Mail { message_id: letter.message_id.clone(), subject, text: wording.text, html: wording.html, message })
}

fn view(letter: &Letter, sender: &Sender) -> Result<View, ComposeError> {
    let language = letter.language;
    let about: Vec<&Line> = letter.lines.iter().filter(|line| line.template == letter.template).collect();
    if about.is_empty() {
        return Err(ComposeError::NoLine(letter.template));
    }
    if let Some(line) = letter.lines.iter().find(|line| line.template == Template::Notice && line.flag_on.is_none()) {
        return Err(ComposeError::NoFlagDay(line.order_id.clone()));
    }
    let line_view = |line: &Line| LineView {
        state: line.template.name(),
        merchant: cleaned(&line.merchant_name, LONGEST_NAME),
        order_id: cleaned(&line.order_id, LONGEST_ITEM),
        item: line.item.as_deref().map(|item| cleaned(item, LONGEST_ITEM)).filter(|item| !item.is_empty()),
        amount: language.money(line.currency, line.outstanding_minor.saturating_add(line.fee_minor)),
        fee: (line.fee_minor != 0).then(|| language.money(line.currency, line.fee_minor)),
        due_on: language.day(line.due_on),
        days_left: days_between(letter.business_date, line.due_on),
        days_past_due: line.days_past_due,
        flag_on: line.flag_on.filter(|_| line.template == Template::Notice).map(|day| language.day(day)),
        fee_after: line.fee_grows_on.map(|day| language.day(day)),
        collected_on: match line.debited {
            Some(Debited::On(day)) => Some(language.day(day)),
            Some(Debited::UnderWay) | None => None,
        },
        being_collected: line.debited == Some(Debited::UnderWay),
    };
    let lines: Vec<LineView> = letter.lines.iter().map(line_view).collect();
    let name = cleaned(&letter.to_name, LONGEST_NAME);
    Ok(View {
        scheme: cleaned(&sender.scheme_name, LONGEST_NAME),
        contact: sender.contact.as_deref().map(|contact| cleaned(contact, LONGEST_ITEM)),
        name: Some(name).filter(|name| !name.is_empty()),
        today: language.day(letter.business_date),
        merchant: same_for_all(lines.iter().map(|line| &line.merchant)).cloned(),
        amount: sum(language, &about),
        total: sum(language, &letter.lines.iter().collect::<Vec<_>>()),
        several: lines.len() > 1,
        due_on: same_for_all(about.iter().map(|line| line.due_on)).map(|day| language.day(day)),
        flag_on: same_for_all(about.iter().map(|line| line.flag_on)).flatten().map(|day| language.day(day)),
        // The mail mentions the credit record only if all lines affect it.
        record: about.iter().all(|line| line.record_at_stake),
        by_hand: letter.lines.iter().any(|line| line.debited.is_none()),
        collected: letter.lines.iter().any(|line| line.debited.is_some()),
        lines,
        table: None,
        letter: None,
    })
}

fn same_for_all<T: PartialEq>(mut values: impl Iterator<Item = T>) -> Option<T> {
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}

/// The sums to pay, by currency.
fn sum(language: Language, lines: &[&Line]) -> String {
    let mut sums: BTreeMap<Currency, i64> = BTreeMap::new();
    for line in lines {
        let sum = sums.entry(line.currency).or_default();
        *sum = sum.saturating_add(line.outstanding_minor).saturating_add(line.fee_minor);
    }
    let sums: Vec<String> = sums.into_iter().map(|(currency, minor)| language.money(currency, minor)).collect();
    sums.join(" + ")
}

/// Cleans a text: one line, at most `longest` characters, without control characters (a line break in a display name would
/// start a header) and without characters that change the direction of writing.
pub(super) fn cleaned(text: &str, longest: usize) -> String {
    let turns_direction = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let breaks_line = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}');
    let text: String = text.chars().filter(|c| !turns_direction(*c)).collect();
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || breaks_line(c)).filter(|w| !w.is_empty()).collect();
    let text = words.join(" ");
    if text.chars().count() <= longest {
        return text;
    }
    let mut cut: String = text.chars().take(longest - 1).collect();
    cut.truncate(cut.trim_end().len());
    cut + "…"
}

pub(super) fn mailbox(name: &str, address: &str) -> Option<Mailbox> {
    let address = address.trim();
    if address.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return None;
    }
    let address: Address = address.parse().ok()?;
    let name = cleaned(name, LONGEST_NAME);
    Some(Mailbox::new(Some(name).filter(|name| !name.is_empty()), address))
}

/// A message id is used in a header and as a file name, so only characters that are safe in both are allowed.
pub(super) fn is_message_id(id: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+'))
    };
    id.len() <= 200 && id.split_once('@').is_some_and(|(local, domain)| plain(local) && plain(domain))
}

/// `=_` occurs in neither quoted-printable nor base64, so the text of a part cannot contain the boundary (RFC 2045, 6.7).
fn boundary(message_id: &str) -> String {
    let id: String = message_id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(60).collect();
    format!("=_{id}")
}

/// A part of the message. The language determines the encoding, so that even ASCII text is always encoded.
fn part(content_type: ContentType, language: Language, text: &str) -> SinglePart {
    let encoding = match language {
        Language::Zh => ContentTransferEncoding::Base64,
        Language::En => ContentTransferEncoding::QuotedPrintable,
    };
    SinglePart::builder().header(content_type).header(encoding).body(text.to_owned())
}

/// The time for the date header, which allows the years 1970 to 9999.
pub(super) fn date_header(at: DateTime<Utc>) -> SystemTime {
    let seconds = at.timestamp().clamp(0, 253_402_300_799);
    SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds.unsigned_abs())
}

#[cfg(test)]
#[path = "compose_tests.rs"]
pub(super) mod tests;
