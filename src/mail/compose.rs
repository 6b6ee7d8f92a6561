//! Turns a letter to a customer into a mail. The same letter gives the same bytes.
//!
//! The names of customers, items and merchants come from files. They are cleaned before they reach a header or a template.

use std::fmt;
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use lettre::message::header::{
    ContentDisposition, ContentId, ContentTransferEncoding, ContentType, HeaderName, HeaderValue,
};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};

use super::addressing::{self, Image};
use super::cleaned::{LONGEST_NAME, cleaned};
use super::letter::{ComposeError, Letter, Sender};
use super::templates::Templates;
use super::ways::stray_link;

pub(super) const LONGEST_SUBJECT: usize = 150;

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

    let language = templates.language(&letter.language);
    let formats = templates.formats(language, &letter.language)?;
    let (view, images) = addressing::view(letter, sender, &formats, language.tag())?;
    let unsubscribe = unsubscribe_headers(sender, view.unsubscribe.link.as_deref(), &letter.message_id);
    let wording = language.render(letter.template, letter.wording.as_deref(), view)?;
    if let Some(link) = stray_link(&wording.html, |host| sender.hosts.contains(host)) {
        return Err(ComposeError::Link(link));
    }
    let subject = cleaned(&wording.subject, LONGEST_SUBJECT);

    let mut message = Message::builder()
        .message_id(Some(format!("<{}>", letter.message_id)))
        .date(date_header(letter.sent_at))
        .from(from)
        .to(to)
        .subject(subject.clone())
        // Prevents automatic replies (RFC 3834).
        .raw_header(header("Auto-Submitted", "auto-generated".to_owned()))
        .raw_header(header("Content-Language", language.tag().to_string()))
        // By it, large receivers tell senders how many of their mails of a kind are taken for spam.
        .raw_header(header("Feedback-ID", feedback_id(letter, sender)));
    for (name, value) in unsubscribe {
        message = message.raw_header(header(name, value));
    }
    if let Some(reply_to) = reply_to {
        message = message.reply_to(reply_to);
    }
    let body = body(letter, &wording.text, &wording.html, images);
    let message = message.multipart(body).map_err(|error| ComposeError::Message(error.to_string()))?;
    Ok(Mail { message_id: letter.message_id.clone(), subject, text: wording.text, html: wording.html, message })
}

fn header(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value)
}

/// The day, what the mail is about, and who sends it.
fn feedback_id(letter: &Letter, sender: &Sender) -> String {
    let domain = sender.address.rsplit_once('@').map_or("", |(_, domain)| domain);
    format!("{}:{}:paylater:{domain}", letter.business_date.format("%Y%m%d"), letter.template.name())
}

/// How programs stop reminders (RFC 2369 and RFC 8058).
fn unsubscribe_headers(sender: &Sender, link: Option<&str>, message_id: &str) -> Vec<(&'static str, String)> {
    let mailto = sender.unsubscribe_mailto.as_ref().map(|to| format!("<mailto:{to}?subject={message_id}>"));
    let ways: Vec<String> = link.map(|link| format!("<{link}>")).into_iter().chain(mailto).collect();
    let mut headers = Vec::new();
    if !ways.is_empty() {
        headers.push(("List-Unsubscribe", ways.join(", ")));
    }
    if link.is_some() && sender.unsubscribe_one_click {
        headers.push(("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned()));
    }
    headers
}

/// The text, and the HTML with its images.
fn body(letter: &Letter, text: &str, html: &str, images: Vec<Image>) -> MultiPart {
    let alternative =
        MultiPart::alternative().boundary(boundary(&letter.message_id)).singlepart(part(ContentType::TEXT_PLAIN, text));
    let html = part(ContentType::TEXT_HTML, html);
    if images.is_empty() {
        return alternative.singlepart(html);
    }
    let related = MultiPart::related().boundary(boundary(&format!("r-{}", letter.message_id))).singlepart(html);
    alternative.multipart(images.into_iter().fold(related, |related, image| related.singlepart(inline(image))))
}

fn inline(image: Image) -> SinglePart {
    let png = ContentType::parse("image/png").expect("it is a content type");
    SinglePart::builder()
        .header(png)
        .header(ContentDisposition::inline())
        .header(ContentId::from(format!("<{}>", image.id)))
        .header(ContentTransferEncoding::Base64)
        .body(image.png)
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

/// A part of the message, always encoded, also if it is ASCII: whichever encoding is shorter.
fn part(content_type: ContentType, text: &str) -> SinglePart {
    // Quoted-printable takes three bytes for each byte that is not ASCII, base64 four for three bytes.
    let others = text.bytes().filter(|byte| !byte.is_ascii()).count();
    let encoding = match 6 * others > text.len() {
        true => ContentTransferEncoding::Base64,
        false => ContentTransferEncoding::QuotedPrintable,
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
