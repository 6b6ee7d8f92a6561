//! `[mail]` of `paylater.toml`: how the scheme writes to customers.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::toml::{Rules, read, time_of_day, wrong};
use crate::domain::terms::contact_hours::ContactHours;
use crate::scheme::{Mail, MailTransport};

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
    /// From and until, "HH:MM", by the clock of each customer.
    #[serde(default = "default_hours")]
    contact_hours: [String; 2],
    /// Mails a customer may get in seven days.
    #[serde(default = "default_weekly_cap")]
    weekly_cap: i64,
    /// A folder with templates that replace the built-in ones of the same name.
    templates: Option<PathBuf>,
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

impl RawMail {
    pub fn resolve(self, base: &Path, rules: &mut Rules) -> Option<Mail> {
        let transport = match self.transport {
            RawTransport::Folder => Some(MailTransport::Folder),
            RawTransport::Smtp => {
                let url = smtp_url(self.smtp_url_file.map(|file| base.join(file)), self.smtp_url);
                rules.keep("mail", url).map(|url| MailTransport::Smtp { url })
            }
        };
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
        Some(Mail {
            transport: transport?,
            from_name,
            from_address,
            reply_to: self.reply_to,
            contact_hours: hours?,
            weekly_cap: self.weekly_cap,
            templates: self.templates.map(|folder| base.join(folder)),
        })
    }
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
