//! How a scheme writes to its customers.

use std::path::PathBuf;

use crate::domain::terms::contact_hours::ContactHours;

#[derive(Debug)]
pub struct Mail {
    pub transport: MailTransport,
    pub from_name: String,
    pub from_address: String,
    pub reply_to: Option<String>,
    pub contact_hours: ContactHours,
    pub weekly_cap: i64,
    /// A folder with templates that replace the built-in ones of the same name.
    pub templates: Option<PathBuf>,
}

#[derive(Debug)]
pub enum MailTransport {
    /// Mails become `.eml` files in `mail/` below home.
    Folder,
    /// An `smtp://` or `smtps://` URL. May contain a password, so it is never shown.
    Smtp { url: String },
}
