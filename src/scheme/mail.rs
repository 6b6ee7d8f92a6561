//! How a scheme writes to its customers.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::domain::language_tag::LanguageTag;
use crate::domain::terms::contact_hours::ContactHours;
use crate::domain::terms::letterhead::{Letterheads, Way};

#[derive(Debug)]
pub struct Mail {
    pub transport: MailTransport,
    pub from_name: String,
    pub from_address: String,
    pub reply_to: Option<String>,
    pub contact_hours: ContactHours,
    pub weekly_cap: i64,
    /// A folder with templates that replace the built-in ones of the same name, and with further languages.
    pub templates: Option<PathBuf>,
    /// The language of customers whose own has no templates.
    pub default_language: LanguageTag,
    /// What mails say for the scheme, by language.
    pub letterheads: Letterheads,
    pub look: Look,
    /// Hosts that templates may link to, besides those of the letterheads.
    pub link_hosts: BTreeSet<String>,
    /// Signs the references in links and words about paying.
    pub reference_key: Option<Secret>,
    /// Whether links to pay are shown as QR codes too.
    pub pay_qr: bool,
    /// An address that takes mails of those who want no more reminders.
    pub unsubscribe_mailto: Option<String>,
    /// Whether the links to unsubscribe work with one click (RFC 8058).
    pub unsubscribe_one_click: bool,
    /// Signs mails to a server.
    pub dkim: Option<DkimSettings>,
}

/// A key that signs for a domain.
#[derive(Debug)]
pub struct DkimSettings {
    pub domain: String,
    pub selector: String,
    pub key: Secret,
}

/// How mails look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Red, green and blue of the colour of buttons and of the line on top.
    pub accent: [u8; 3],
    /// A PNG image, sent with each mail.
    pub logo: Option<Vec<u8>>,
}

#[derive(Debug)]
pub enum MailTransport {
    /// Mails become `.eml` files in `mail/` below home.
    Folder,
    Smtp(SmtpSettings),
}

/// A mail server, and how it is spoken to.
pub struct SmtpSettings {
    /// An `smtp://` or `smtps://` URL. May contain a password, so it is never shown.
    pub url: String,
    /// Mails sent at once.
    pub connections: usize,
    /// The time limit for one mail, and for each step of connecting.
    pub timeout: Duration,
}

impl fmt::Debug for SmtpSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SmtpSettings { connections, timeout, .. } = self;
        write!(f, "SmtpSettings({connections} connections, {timeout:?})")
    }
}

/// A secret from the environment or a file. Nothing prints it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(secret: String) -> Secret {
        Secret(secret)
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Mail {
    /// The hosts that mails may link to.
    pub fn hosts<'s>(&'s self, merchants: impl Iterator<Item = &'s Letterheads>) -> BTreeSet<String> {
        let linked = merchants.chain([&self.letterheads]).flat_map(Letterheads::hosts).map(str::to_owned);
        linked.chain(self.link_hosts.iter().cloned()).collect()
    }

    /// Whether any of the letterheads asks for a signed reference.
    pub fn signs_references(letterheads: &Letterheads) -> bool {
        letterheads.0.values().any(|head| {
            let ways = [&head.pay, &head.extend, &head.give_back, &head.unsubscribe];
            ways.into_iter().flatten().any(Way::is_signed)
        })
    }
}
