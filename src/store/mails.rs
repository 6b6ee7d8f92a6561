//! Mails and the reminders in them. A mail is recorded before it is sent, and keeps its Message-ID.

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDate, Utc};

use super::bulk::{self, Table, row};
use super::engine::{Tx, key_set, on_engine, sql_for};
use crate::domain::decide::reminders::Template;

const MAIL: Table = Table {
    name: "mail",
    columns: &[
        "mail_no",
        "customer_id",
        "business_date",
        "template",
        "locale",
        "message_id",
        "send_at",
        "status",
        "attempts",
        "error",
    ],
    key: 1,
};

const REMINDER: Table = Table {
    name: "reminder",
    columns: &[
        "merchant_id",
        "order_id",
        "instalment",
        "step",
        "business_date",
        "mail_no",
        "suppressed",
        "template",
        "due_on",
        "outstanding_minor",
        "late_fee_minor",
        "days_past_due",
    ],
    key: 4,
};

const MAIL_TEXT: Table = Table { name: "mail_text", columns: &["mail_no", "subject", "body"], key: 1 };

/// The status of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MailStatus {
    Queued,
    Sending,
    Sent,
    /// Nothing of it was owed any more when it was due to be sent.
    Withdrawn,
    Failed,
    /// Nobody knows whether it was sent.
    Unknown,
}

impl MailStatus {
    pub const ALL: [MailStatus; 6] = [
        MailStatus::Queued,
        MailStatus::Sending,
        MailStatus::Sent,
        MailStatus::Withdrawn,
        MailStatus::Failed,
        MailStatus::Unknown,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            MailStatus::Queued => "queued",
            MailStatus::Sending => "sending",
            MailStatus::Sent => "sent",
            MailStatus::Withdrawn => "withdrawn",
            MailStatus::Failed => "failed",
            MailStatus::Unknown => "unknown",
        }
    }

    pub fn parse(text: &str) -> Option<MailStatus> {
        MailStatus::ALL.into_iter().find(|status| status.name() == text)
    }

    /// Whether the mail is sent or will be.
    pub fn is_on_its_way(self) -> bool {
        match self {
            MailStatus::Queued | MailStatus::Sending | MailStatus::Sent => true,
            MailStatus::Withdrawn | MailStatus::Failed | MailStatus::Unknown => false,
        }
    }
}

/// A mail and its status.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct MailRow {
    pub mail_no: i64,
    pub customer_id: String,
    pub business_date: NaiveDate,
    pub template: Template,
    pub locale: String,
    pub message_id: String,
    pub send_at: DateTime<Utc>,
    pub status: MailStatus,
    pub attempts: i64,
    pub error: Option<String>,
}

/// An instalment's entry in a mail, or the reason why it got no mail.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ReminderRow {
    pub merchant_id: String,
    pub order_id: String,
    pub instalment: i64,
    pub step: String,
    pub business_date: NaiveDate,
    pub mail_no: Option<i64>,
    pub suppressed: Option<String>,
    pub template: Template,
    pub due_on: NaiveDate,
    pub outstanding_minor: i64,
    pub late_fee_minor: i64,
    pub days_past_due: i64,
}

const MAIL_COLUMNS: &str =
    "mail_no, customer_id, business_date, template, locale, message_id, send_at, status, attempts, error";
const REMINDER_COLUMNS: &str = "merchant_id, order_id, instalment, step, business_date, mail_no, suppressed, template,
    due_on, outstanding_minor, late_fee_minor, days_past_due";

/// The number of the next mail.
pub async fn next_mail_no(tx: &mut Tx) -> Result<i64> {
    let sql = "SELECT COALESCE(MAX(mail_no), 0) + 1 FROM mail";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).fetch_one(c).await?))
}

/// Saves new and changed mails with their reminders, and suppressed reminders.
pub async fn save(tx: &mut Tx, mails: &[MailRow], reminders: &[ReminderRow]) -> Result<()> {
    let mut cells = Vec::with_capacity(mails.len() * MAIL.columns.len());
    for mail in mails {
        cells.extend(row![
            mail.mail_no,
            mail.customer_id.as_str(),
            mail.business_date,
            mail.template,
            mail.locale.as_str(),
            mail.message_id.as_str(),
            mail.send_at,
            mail.status,
            mail.attempts,
            mail.error.as_deref(),
        ]);
    }
    bulk::upsert(tx, &MAIL, cells).await?;
    let mut cells = Vec::with_capacity(reminders.len() * REMINDER.columns.len());
    for reminder in reminders {
        cells.extend(row![
            reminder.merchant_id.as_str(),
            reminder.order_id.as_str(),
            reminder.instalment,
            reminder.step.as_str(),
            reminder.business_date,
            reminder.mail_no,
            reminder.suppressed.as_deref(),
            reminder.template,
            reminder.due_on,
            reminder.outstanding_minor,
            reminder.late_fee_minor,
            reminder.days_past_due,
        ]);
    }
    // A reason to suppress a reminder can end during the day; the row is then replaced by that of the mail.
    bulk::upsert(tx, &REMINDER, cells).await
}

/// A reminder step that an instalment has had, sent or suppressed.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct PlannedStep {
    pub order_id: String,
    pub instalment: i64,
    pub step: String,
    pub template: Template,
    pub business_date: NaiveDate,
    pub suppressed: Option<String>,
    /// The status of its mail; `None` if it is in no mail.
    pub mail: Option<MailStatus>,
}

/// The steps that these orders have had.
pub async fn steps_planned(tx: &mut Tx, merchant: &str, order_ids: &[&str]) -> Result<Vec<PlannedStep>> {
    let sql = sql_for(
        tx,
        "SELECT r.order_id, r.instalment, r.step, r.template, r.business_date, r.suppressed, m.status AS mail
         FROM reminder r LEFT JOIN mail m ON m.mail_no = r.mail_no
         WHERE r.merchant_id = $1 AND r.order_id IN {keys $2}",
    );
    let keys = key_set(order_ids.iter().copied());
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(keys).fetch_all(c).await?))
}

/// The number of mails of these customers on the days from..=to, and the day of the last one.
pub async fn planned_between(
    tx: &mut Tx,
    customers: &[&str],
    from: NaiveDate,
    to: NaiveDate,
) -> Result<Vec<(String, i64, NaiveDate)>> {
    let sql = sql_for(
        tx,
        "SELECT customer_id, COUNT(*), MAX(business_date) FROM mail
         WHERE customer_id IN {keys $1} AND business_date BETWEEN $2 AND $3 AND status <> 'withdrawn'
         GROUP BY customer_id",
    );
    let keys = key_set(customers.iter().copied());
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(keys).bind(from).bind(to).fetch_all(c).await?))
}

/// Mails whose sending was interrupted.
pub async fn cut_off(tx: &mut Tx) -> Result<Vec<MailRow>> {
    let sql = sqlx::AssertSqlSafe(format!("SELECT {MAIL_COLUMNS} FROM mail WHERE status = 'sending' ORDER BY mail_no"));
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).fetch_all(c).await?))
}

/// Queued mails of days before `day`.
pub async fn left_over(tx: &mut Tx, day: NaiveDate) -> Result<Vec<MailRow>> {
    let sql =
        format!("SELECT {MAIL_COLUMNS} FROM mail WHERE status = 'queued' AND business_date < $1 ORDER BY mail_no");
    let sql = sqlx::AssertSqlSafe(sql);
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(day).fetch_all(c).await?))
}

/// Queued mails of a day that may be sent by `now`, by number, after `after`.
pub async fn to_send(tx: &mut Tx, day: NaiveDate, now: DateTime<Utc>, after: i64, limit: i64) -> Result<Vec<MailRow>> {
    let sql = format!(
        "SELECT {MAIL_COLUMNS} FROM mail
         WHERE status = 'queued' AND business_date = $1 AND send_at <= $2 AND mail_no > $3 ORDER BY mail_no LIMIT $4"
    );
    let sql = sqlx::AssertSqlSafe(sql);
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(day).bind(now).bind(after).bind(limit).fetch_all(c).await?))
}

/// The reminders in a range of mails.
pub async fn reminders_in(tx: &mut Tx, first_mail: i64, last_mail: i64) -> Result<Vec<ReminderRow>> {
    let sql = format!(
        "SELECT {REMINDER_COLUMNS} FROM reminder WHERE mail_no BETWEEN $1 AND $2
         ORDER BY mail_no, due_on, merchant_id, order_id, instalment, step"
    );
    let sql = sqlx::AssertSqlSafe(sql);
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(first_mail).bind(last_mail).fetch_all(c).await?))
}

/// Sets the status of mails.
pub async fn set_status(tx: &mut Tx, mails: &[i64], status: MailStatus, error: Option<&str>) -> Result<()> {
    if mails.is_empty() {
        return Ok(());
    }
    let attempt = i64::from(status == MailStatus::Sending);
    let sql = "UPDATE mail SET status = $2, error = $3, attempts = attempts + $4 WHERE mail_no IN {numbers $1}";
    let sql = sql_for(tx, sql);
    let keys = serde_json::to_string(mails).context("numbers as JSON")?;
    on_engine!(tx, |c| {
        sqlx::query(sql).bind(keys).bind(status).bind(error).bind(attempt).execute(c).await.map(|_| ())
    })?;
    Ok(())
}

/// An order's reminders with their mails, in chronological order.
pub async fn of_order(tx: &mut Tx, merchant: &str, order_id: &str) -> Result<Vec<(ReminderRow, Option<MailRow>)>> {
    let sql = format!(
        "SELECT {REMINDER_COLUMNS} FROM reminder WHERE merchant_id = $1 AND order_id = $2
         ORDER BY business_date, instalment, step"
    );
    let sql = sqlx::AssertSqlSafe(sql);
    let reminders: Vec<ReminderRow> =
        on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(order_id).fetch_all(c).await?);
    let mut with_mails = Vec::with_capacity(reminders.len());
    for reminder in reminders {
        let sql = sqlx::AssertSqlSafe(format!("SELECT {MAIL_COLUMNS} FROM mail WHERE mail_no = $1"));
        let mail = match reminder.mail_no {
            Some(number) => on_engine!(tx, |c| sqlx::query_as(sql).bind(number).fetch_optional(c).await?),
            None => None,
        };
        with_mails.push((reminder, mail));
    }
    Ok(with_mails)
}

/// The number of mails that could be sent by an instant and were not.
pub async fn count_waiting(tx: &mut Tx, by: DateTime<Utc>) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM mail WHERE status IN ('queued', 'sending') AND send_at <= $1";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(by).fetch_one(c).await?))
}

/// A reminder of an order with the state of its mail.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ReminderState {
    pub order_id: String,
    /// Of its mail, if it is in one.
    pub template: String,
    pub business_date: NaiveDate,
    /// Why it is in no mail.
    pub suppressed: Option<String>,
    pub mail_no: Option<i64>,
    /// The status of its mail, and what went wrong with it.
    pub mail: Option<String>,
    pub error: Option<String>,
}

/// The reminders of these orders, in chronological order.
pub async fn of_orders(tx: &mut Tx, merchant: &str, order_ids: &[&str]) -> Result<Vec<ReminderState>> {
    let sql = sql_for(
        tx,
        "SELECT r.order_id, r.business_date, r.suppressed, r.mail_no, m.status AS mail, m.error,
                CASE WHEN r.suppressed IS NULL AND m.mail_no IS NOT NULL THEN m.template ELSE r.template END AS template
         FROM reminder r LEFT JOIN mail m ON m.mail_no = r.mail_no
         WHERE r.merchant_id = $1 AND r.order_id IN {keys $2}
         ORDER BY r.business_date, r.mail_no, r.order_id, r.instalment, r.step",
    );
    let keys = key_set(order_ids.iter().copied());
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(keys).fetch_all(c).await?))
}

/// The number of mails by status on the days from..=to.
pub async fn counts(tx: &mut Tx, from: NaiveDate, to: NaiveDate) -> Result<Vec<(MailStatus, i64)>> {
    let sql = "SELECT status, COUNT(*) FROM mail WHERE business_date BETWEEN $1 AND $2 GROUP BY status ORDER BY status";
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(from).bind(to).fetch_all(c).await?))
}

/// The words of a mail, as they were handed over.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct MailText {
    pub subject: String,
    pub body: String,
}

/// Keeps the words of mails that are about to be handed over.
pub async fn keep_texts(tx: &mut Tx, texts: &[(i64, MailText)]) -> Result<()> {
    let cells = texts.iter().flat_map(|(number, text)| row![*number, text.subject.as_str(), text.body.as_str()]);
    bulk::upsert(tx, &MAIL_TEXT, cells).await
}

/// The words of a mail; `None` if it was never handed over.
pub async fn text(tx: &mut Tx, mail_no: i64) -> Result<Option<MailText>> {
    let sql = "SELECT subject, body FROM mail_text WHERE mail_no = $1";
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(mail_no).fetch_optional(c).await?))
}

/// The mail of a number.
pub async fn of_number(tx: &mut Tx, mail_no: i64) -> Result<Option<MailRow>> {
    let sql = sqlx::AssertSqlSafe(format!("SELECT {MAIL_COLUMNS} FROM mail WHERE mail_no = $1"));
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(mail_no).fetch_optional(c).await?))
}

/// Selects mails. A filter that is not set selects all.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter<'a> {
    pub customer_id: Option<&'a str>,
    pub status: Option<MailStatus>,
    pub day: Option<NaiveDate>,
}

/// The latest mails that a filter selects, the newest first.
pub async fn latest(tx: &mut Tx, filter: &Filter<'_>, limit: i64) -> Result<Vec<MailRow>> {
    let sql = format!(
        "SELECT {MAIL_COLUMNS} FROM mail
         WHERE ($1 = '' OR customer_id = $1) AND ($2 = '' OR status = $2) AND ($3 OR business_date = $4)
         ORDER BY mail_no DESC LIMIT $5"
    );
    let sql = sqlx::AssertSqlSafe(sql);
    let (customer, status) = (filter.customer_id.unwrap_or_default(), filter.status.map_or("", MailStatus::name));
    let (any_day, day) = (filter.day.is_none(), filter.day.unwrap_or_default());
    Ok(on_engine!(tx, |c| {
        sqlx::query_as(sql).bind(customer).bind(status).bind(any_day).bind(day).bind(limit).fetch_all(c).await?
    }))
}

/// Takes a queued mail back. What it is about counts as told, so that it is not planned again.
pub async fn cancel(tx: &mut Tx, mail_no: i64, why: &str) -> Result<()> {
    set_status(tx, &[mail_no], MailStatus::Withdrawn, Some(why)).await?;
    let sql = "UPDATE reminder SET suppressed = $2 WHERE mail_no = $1 AND suppressed IS NULL";
    on_engine!(tx, |c| sqlx::query(sql).bind(mail_no).bind(why).execute(c).await.map(|_| ()))?;
    Ok(())
}

/// The customers of mails, by Message-ID. Its number is in it, so that no index is needed.
pub async fn customers_of(tx: &mut Tx, message_ids: &[&str]) -> Result<Vec<(String, String)>> {
    let number = |id: &&str| id.split('@').next()?.rsplit('-').next()?.parse::<i64>().ok();
    let numbers: Vec<i64> = message_ids.iter().filter_map(number).collect();
    let sql = sql_for(tx, "SELECT message_id, customer_id FROM mail WHERE mail_no IN {numbers $1}");
    let keys = serde_json::to_string(&numbers).context("numbers as JSON")?;
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(keys).fetch_all(c).await?))
}
