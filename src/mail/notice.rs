//! A plain mail to operations. It is in English and has no HTML: it is read on a phone at night, and by programs.

use chrono::{DateTime, Utc};
use lettre::Message;
use lettre::message::SinglePart;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};

use super::cleaned::cleaned;
use super::compose::{LONGEST_SUBJECT, Mail, date_header, is_message_id, mailbox};
use super::letter::{ComposeError, Sender};

/// A notice to one address of operations.
pub struct Notice {
    /// `local-part@domain`, without brackets. A repeated notice keeps its id.
    pub message_id: String,
    pub to: String,
    pub subject: String,
    pub text: String,
    pub sent_at: DateTime<Utc>,
}

/// Composes a notice.
pub fn compose(notice: &Notice, sender: &Sender) -> Result<Mail, ComposeError> {
    if !is_message_id(&notice.message_id) {
        return Err(ComposeError::MessageId(notice.message_id.clone()));
    }
    let to = mailbox("", &notice.to).ok_or(ComposeError::Address)?;
    let from = mailbox(&sender.name, &sender.address).ok_or_else(|| ComposeError::Sender(sender.address.clone()))?;
    let subject = cleaned(&notice.subject, LONGEST_SUBJECT);
    let body = SinglePart::builder()
        .header(ContentType::TEXT_PLAIN)
        .header(ContentTransferEncoding::QuotedPrintable)
        .body(notice.text.clone());
    let message = Message::builder()
        .message_id(Some(format!("<{}>", notice.message_id)))
        .date(date_header(notice.sent_at))
        .from(from)
        .to(to)
        .subject(subject.clone())
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
        .singlepart(body)
        .map_err(|error| ComposeError::Message(error.to_string()))?;
    Ok(Mail::of_text(notice.message_id.clone(), subject, notice.text.clone(), message))
}
