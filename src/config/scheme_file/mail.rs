//! `[mail]` of `paylater.toml`: how the scheme writes to customers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use schemars::JsonSchema;
use serde::Deserialize;

use super::letterhead::{self, RawLetterhead};
use crate::config::toml::{Rules, read, time_of_day, wrong};
use crate::domain::terms::contact_hours::ContactHours;
use crate::domain::terms::letterhead::Letterheads;
use crate::scheme::{DkimSettings, Look, Mail, MailTransport, Secret, SmtpSettings};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawMail {
    /// folder, or smtp for a server.
    transport: RawTransport,
    /// `Name <address>`, or an address.
    from: String,
    /// An address for answers.
    reply_to: Option<String>,
    /// The server: smtp:// or smtps://.
    smtp_url: Option<String>,
    /// A file that holds the server's URL.
    smtp_url_file: Option<PathBuf>,
    /// Mails sent to the server at once.
    #[serde(default = "default_connections")]
    connections: usize,
    /// How many seconds one mail, and each step of connecting, may take.
    #[serde(default = "default_timeout_seconds")]
    timeout_seconds: u64,
    /// From and until, "HH:MM", by the clock of each customer.
    #[serde(default = "default_hours")]
    contact_hours: [String; 2],
    /// Mails a customer may get in seven days.
    #[serde(default = "default_weekly_cap")]
    weekly_cap: i64,
    /// A folder with templates that replace the built-in ones of the same name, and with further languages.
    templates: Option<PathBuf>,
    /// The language of customers whose own has no templates.
    #[serde(default = "default_language")]
    default_language: String,
    /// What mails say for the scheme, by language.
    #[serde(default)]
    texts: BTreeMap<String, RawLetterhead>,
    /// Hosts that own templates may link to, besides those of the texts.
    #[serde(default)]
    link_hosts: Vec<String>,
    /// A file that holds the key which signs references.
    reference_key_file: Option<PathBuf>,
    /// Whether links to pay are shown as QR codes too.
    #[serde(default)]
    pay_qr: bool,
    /// An address that takes mails of those who want no more reminders.
    unsubscribe_mailto: Option<String>,
    /// Whether the links to unsubscribe work with one click: a POST to them, without asking (RFC 8058).
    #[serde(default)]
    unsubscribe_one_click: bool,
    /// Signs mails to a server.
    dkim: Option<RawDkim>,
    /// The colour of buttons, such as "#1d4ed8".
    #[serde(default = "default_accent")]
    accent: String,
    /// A PNG file, shown at the top.
    logo: Option<PathBuf>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawDkim {
    /// The name of the key below the domain: SELECTOR._domainkey.DOMAIN.
    selector: String,
    /// The domain that signs; if left out, that of `from`.
    domain: Option<String>,
    /// A file with the private key: RSA as PEM (PKCS #1), or Ed25519 in base64.
    key_file: PathBuf,
}

#[derive(Deserialize, JsonSchema, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum RawTransport {
    Folder,
    Smtp,
}

fn default_hours() -> [String; 2] {
    ["08:00".to_owned(), "22:00".to_owned()]
}

fn default_weekly_cap() -> i64 {
    5
}

fn default_connections() -> usize {
    4
}

/// The most connections to one server. Servers refuse more from one client.
const MOST_CONNECTIONS: usize = 100;

fn default_timeout_seconds() -> u64 {
    30
}

/// The longest time limit. Servers that check a message thoroughly may take minutes (RFC 5321, 4.5.3.2).
const MOST_TIMEOUT_SECONDS: u64 = 600;

fn default_language() -> String {
    "en".to_owned()
}

fn default_accent() -> String {
    "#1d4ed8".to_owned()
}

/// The largest logo: it is sent with each mail.
const LARGEST_LOGO: usize = 50_000;

/// The shortest key. A shorter one can be guessed.
const SHORTEST_KEY: usize = 32;

impl RawMail {
    pub fn resolve(self, base: &Path, rules: &mut Rules) -> Option<Mail> {
        let connections = rules.keep("mail.connections", connections(self.connections));
        let timeout = rules.keep("mail.timeout_seconds", timeout(self.timeout_seconds));
        let transport = match self.transport {
            RawTransport::Folder => Some(MailTransport::Folder),
            RawTransport::Smtp => {
                let url = smtp_url(self.smtp_url_file.map(|file| base.join(file)), self.smtp_url);
                let url = rules.keep("mail", url);
                url.zip(connections).zip(timeout).map(|((url, connections), timeout)| {
                    MailTransport::Smtp(SmtpSettings { url, connections, timeout })
                })
            }
        };
        let default_language = rules.keep("mail.default_language", letterhead::language(&self.default_language));
        let letterheads = letterhead::resolve(self.texts, "mail.texts", rules);
        let key = rules.keep("mail", reference_key(self.reference_key_file.map(|file| base.join(file))));
        let accent = rules.keep("mail.accent", colour(&self.accent));
        let logo = rules.keep("mail.logo", self.logo.map(|file| logo(&base.join(file))).transpose());
        for (i, host) in self.link_hosts.iter().enumerate() {
            rules.keep(&format!("mail.link_hosts[{i}]"), host_name(host));
        }
        let from = rules.keep("mail.from", sender(&self.from));
        let [since, until] = &self.contact_hours;
        let since = rules.keep("mail.contact_hours[0]", time_of_day("", since));
        let until = rules.keep("mail.contact_hours[1]", time_of_day("", until));
        let hours = since.zip(until).and_then(|(from, until)| {
            let forward =
                if from < until { Ok(()) } else { Err(anyhow::anyhow!("the first must be before the second")) };
            rules.keep("mail.contact_hours", forward).map(|()| ContactHours { from, until })
        });
        if self.weekly_cap <= 0 {
            let advice = "write how many mails a customer may get in seven days, from 1 on";
            rules.keep("mail.weekly_cap", Err::<(), _>(anyhow::anyhow!("{}: {advice}", self.weekly_cap)));
        }
        let (from_name, from_address) = from?;
        if let Some(address) = &self.unsubscribe_mailto {
            rules.keep("mail.unsubscribe_mailto", plain_address(address));
        }
        let dkim = match self.dkim {
            Some(raw) => rules.keep("mail.dkim", raw.resolve(base, &from_address)).map(Some),
            None => Some(None),
        };
        Some(Mail {
            transport: transport?,
            from_name,
            from_address,
            reply_to: self.reply_to,
            contact_hours: hours?,
            weekly_cap: self.weekly_cap,
            templates: self.templates.map(|folder| base.join(folder)),
            default_language: default_language?,
            letterheads,
            look: Look { accent: accent?, logo: logo? },
            link_hosts: self.link_hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
            reference_key: key?,
            pay_qr: self.pay_qr,
            unsubscribe_mailto: self.unsubscribe_mailto,
            unsubscribe_one_click: self.unsubscribe_one_click,
            dkim: dkim?,
        })
    }
}

impl RawDkim {
    fn resolve(self, base: &Path, from_address: &str) -> Result<DkimSettings> {
        let of_sender = || from_address.rsplit_once('@').map_or("", |(_, domain)| domain).to_owned();
        let domain = self.domain.unwrap_or_else(of_sender);
        let is_name = |name: &str| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
        };
        if !is_name(&domain) {
            return Err(wrong("domain", format!("{domain:?}: write a domain such as \"example.com\"")));
        }
        if !is_name(&self.selector) {
            return Err(wrong("selector", format!("{:?}: write a name such as \"s1\"", self.selector)));
        }
        let key = read(&base.join(self.key_file)).map_err(|why| wrong("key_file", format!("{why:#}")))?;
        Ok(DkimSettings { domain, selector: self.selector, key: Secret::new(key) })
    }
}

/// Checks an address that becomes part of a header.
fn plain_address(address: &str) -> Result<()> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+' | '@');
    let is_address = address.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'));
    ensure!(is_address && address.chars().all(is_plain), "{address:?}: write an address such as \"stop@example.com\"");
    Ok(())
}

/// The URL of the mail server. May contain a password, so it is never shown.
fn smtp_url(file: Option<PathBuf>, written: Option<String>) -> Result<String> {
    let from_file =
        file.map(|file| read(&file).map_err(|why| wrong("smtp_url_file", format!("{why:#}")))).transpose()?;
    let url = std::env::var("PAYLATER_SMTP_URL").ok().or(from_file).or(written);
    let advice = "is smtp: say where with smtp_url, smtp_url_file or PAYLATER_SMTP_URL";
    Ok(url.ok_or_else(|| wrong("transport", advice))?.trim().to_owned())
}

/// The parts of `Name <address>`.
fn sender(from: &str) -> Result<(String, String)> {
    let parts = from.split_once('<').and_then(|(name, rest)| Some((name.trim(), rest.strip_suffix('>')?.trim())));
    let (name, address) = parts.unwrap_or(("", from.trim()));
    ensure!(address.contains('@'), "{from:?}: write it like \"Tea Corner <no-reply@example.com>\"");
    Ok((name.to_owned(), address.to_owned()))
}

fn connections(written: usize) -> Result<usize> {
    ensure!(
        (1..=MOST_CONNECTIONS).contains(&written),
        "{written} is not from 1 to {MOST_CONNECTIONS}; write one that is"
    );
    Ok(written)
}

fn timeout(seconds: u64) -> Result<Duration> {
    let within = (1..=MOST_TIMEOUT_SECONDS).contains(&seconds);
    ensure!(within, "{seconds} is not from 1 to {MOST_TIMEOUT_SECONDS} seconds; write a number that is");
    Ok(Duration::from_secs(seconds))
}

/// The key of the environment or, if there is none, of the file.
fn reference_key(file: Option<PathBuf>) -> Result<Option<Secret>> {
    let from_file =
        file.map(|file| read(&file).map_err(|why| wrong("reference_key_file", format!("{why:#}")))).transpose()?;
    let Some(key) = std::env::var("PAYLATER_REFERENCE_KEY").ok().or(from_file) else { return Ok(None) };
    let key = key.trim();
    let length = key.chars().count();
    if length < SHORTEST_KEY {
        let advice = format!(
            "the key has {length} characters; take at least {SHORTEST_KEY}, such as those of `openssl rand -hex 32`"
        );
        return Err(wrong("reference_key_file", advice));
    }
    Ok(Some(Secret::new(key.to_owned())))
}

/// Checks that there is a key if any text has a signed reference.
pub fn check_key<'s>(mail: &'s Mail, merchants: impl Iterator<Item = &'s Letterheads>) -> Result<()> {
    let mut all = merchants.chain([&mail.letterheads]);
    if mail.reference_key.is_none() && all.any(Mail::signs_references) {
        let advice = "is missing, and a text has {reference}: name a file with the key that signs it, or set \
                      PAYLATER_REFERENCE_KEY";
        return Err(wrong("reference_key_file", advice));
    }
    Ok(())
}

/// The parts of a colour such as `#1d4ed8`.
fn colour(text: &str) -> Result<[u8; 3]> {
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii());
    let part = |from: usize| digits.and_then(|digits| u8::from_str_radix(&digits[from..from + 2], 16).ok());
    match (part(0), part(2), part(4)) {
        (Some(red), Some(green), Some(blue)) => Ok([red, green, blue]),
        _ => bail!("{text:?}: write a colour such as \"#1d4ed8\""),
    }
}

fn logo(file: &Path) -> Result<Vec<u8>> {
    let bytes = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    ensure!(bytes.starts_with(b"\x89PNG\r\n\x1a\n"), "{} is not a PNG image", file.display());
    let size = bytes.len();
    ensure!(
        size <= LARGEST_LOGO,
        "{} has {size} bytes; each mail carries it, so make it at most {LARGEST_LOGO}",
        file.display()
    );
    Ok(bytes)
}

fn host_name(host: &str) -> Result<()> {
    let is_host = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':'));
    ensure!(is_host, "{host:?}: write a host such as \"pay.example.com\"");
    Ok(())
}
