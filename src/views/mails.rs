//! Mails: which there are, and what one says.

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::store::Tx;
use crate::store::mails::{self, Filter, MailRow};

/// A mail and its status.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct MailState {
    pub mail_no: i64,
    pub customer_id: String,
    pub business_date: NaiveDate,
    /// What it is about; of several things, the gravest.
    pub template: String,
    pub status: String,
    /// The first moment at which it may leave.
    pub send_at: DateTime<Utc>,
    pub message_id: String,
    /// How often it was handed over.
    pub attempts: i64,
    /// Why it was not sent.
    pub error: Option<String>,
}

/// Mails, the newest first.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct MailList {
    pub mails: Vec<MailState>,
}

/// A mail with what it is about, and its words as they were handed over.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct MailWords {
    #[serde(flatten)]
    pub mail: MailState,
    pub about: Vec<MailSubject>,
    /// Without it, the mail was never handed over.
    pub subject: Option<String>,
    pub text: Option<String>,
}

/// What a mail is about.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct MailSubject {
    pub merchant_id: String,
    pub order_id: String,
    /// 0 for the order as a whole.
    pub instalment: i64,
    pub step: String,
    /// Why it was taken out.
    pub suppressed: Option<String>,
}

impl From<MailRow> for MailState {
    fn from(mail: MailRow) -> MailState {
        let MailRow {
            mail_no, customer_id, business_date, template, message_id, send_at, status, attempts, error, ..
        } = mail;
        MailState {
            mail_no,
            customer_id,
            business_date,
            template: template.name().to_owned(),
            status: status.name().to_owned(),
            send_at,
            message_id,
            attempts,
            error,
        }
    }
}

pub async fn list(tx: &mut Tx, filter: &Filter<'_>, limit: i64) -> Result<MailList> {
    let mails = mails::latest(tx, filter, limit).await?;
    Ok(MailList { mails: mails.into_iter().map(MailState::from).collect() })
}

pub async fn words(tx: &mut Tx, mail_no: i64) -> Result<MailWords> {
    let mail = mails::of_number(tx, mail_no).await?;
    let mail = mail.with_context(|| format!("there is no mail {mail_no}; `paylater mails` lists them"))?;
    let about = mails::reminders_in(tx, mail_no, mail_no).await?;
    let about = about.into_iter().map(|reminder| MailSubject {
        merchant_id: reminder.merchant_id,
        order_id: reminder.order_id,
        instalment: reminder.instalment,
        step: reminder.step,
        suppressed: reminder.suppressed,
    });
    let text = mails::text(tx, mail_no).await?;
    let (subject, text) = text.map(|text| (text.subject, text.body)).unzip();
    Ok(MailWords { mail: mail.into(), about: about.collect(), subject, text })
}
