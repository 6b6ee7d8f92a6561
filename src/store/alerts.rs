//! What operations were alerted to, what each receiver was sent about it, and which receivers did not answer. Nothing here is
//! part of the books.

use anyhow::Result;
use chrono::{DateTime, Utc};

use super::engine::{Tx, on_engine};

/// An alert that is not over.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct OpenAlert {
    pub alert_no: i64,
    /// As in `status --check`.
    pub code: String,
    /// What it is about; may be empty.
    pub about: String,
    /// In words, as it was when it began.
    pub message: String,
    pub began_at: DateTime<Utc>,
}

/// What a receiver has not been sent yet.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Note {
    pub note_no: i64,
    pub alert_no: i64,
    /// Whether the note says that the alert is over.
    pub is_over: bool,
    pub code: String,
    pub about: String,
    pub message: String,
    pub began_at: DateTime<Utc>,
    pub over_at: Option<DateTime<Utc>>,
}

/// A receiver that could not be reached at the last attempt.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct SilentReceiver {
    pub receiver: String,
    /// The first attempt in a row that failed.
    pub since: DateTime<Utc>,
    /// Why the last attempt failed.
    pub reason: String,
}

/// The alerts that are not over, in the order in which they began.
pub async fn open(tx: &mut Tx) -> Result<Vec<OpenAlert>> {
    let sql = "SELECT alert_no, code, about, message, began_at FROM alert WHERE over_at IS NULL ORDER BY alert_no";
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).fetch_all(c).await?))
}

/// Records that an alert begins. Returns its number, or `None` if it is open already.
pub async fn begin(tx: &mut Tx, code: &str, about: &str, message: &str, now: DateTime<Utc>) -> Result<Option<i64>> {
    let sql = "INSERT INTO alert (code, about, message, began_at) VALUES ($1, $2, $3, $4)
               ON CONFLICT (code, about) WHERE over_at IS NULL DO NOTHING RETURNING alert_no";
    Ok(on_engine!(tx, |c| {
        sqlx::query_scalar(sql).bind(code).bind(about).bind(message).bind(now).fetch_optional(c).await?
    }))
}

/// Records that an alert is over. Returns false if it was over already.
pub async fn end(tx: &mut Tx, alert_no: i64, now: DateTime<Utc>) -> Result<bool> {
    let sql = "UPDATE alert SET over_at = $2 WHERE alert_no = $1 AND over_at IS NULL";
    let done =
        on_engine!(tx, |c| sqlx::query(sql).bind(alert_no).bind(now).execute(c).await.map(|d| d.rows_affected()))?;
    Ok(done > 0)
}

/// Adds a note for a receiver.
pub async fn note(tx: &mut Tx, alert_no: i64, receiver: &str, is_over: bool) -> Result<()> {
    let sql = "INSERT INTO alert_note (alert_no, receiver, is_over) VALUES ($1, $2, $3)";
    on_engine!(tx, |c| sqlx::query(sql).bind(alert_no).bind(receiver).bind(is_over).execute(c).await.map(|_| ()))?;
    Ok(())
}

/// Whether a receiver has notes that no other process sends at the moment.
pub async fn has_unsent(tx: &mut Tx, receiver: &str, node: &str, now: DateTime<Utc>) -> Result<bool> {
    let sql = "SELECT COUNT(*) > 0 FROM alert_note
               WHERE receiver = $1 AND sent_at IS NULL
                 AND (claimed_until IS NULL OR claimed_until <= $3 OR claimed_by = $2)";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(receiver).bind(node).bind(now).fetch_one(c).await?))
}

/// Claims a receiver's unsent notes for this process, which sends none of them at the moment, and returns them in order. Until
/// the claim ends, no other process sends them.
pub async fn claim(
    tx: &mut Tx,
    receiver: &str,
    node: &str,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Vec<Note>> {
    let sql = "UPDATE alert_note SET claimed_by = $2, claimed_until = $4
               WHERE receiver = $1 AND sent_at IS NULL
                 AND (claimed_until IS NULL OR claimed_until <= $3 OR claimed_by = $2)";
    on_engine!(tx, |c| sqlx::query(sql).bind(receiver).bind(node).bind(now).bind(until).execute(c).await.map(|_| ()))?;
    let sql = "SELECT n.note_no, n.alert_no, n.is_over, a.code, a.about, a.message, a.began_at, a.over_at
               FROM alert_note n JOIN alert a ON a.alert_no = n.alert_no
               WHERE n.receiver = $1 AND n.sent_at IS NULL AND n.claimed_by = $2 AND n.claimed_until = $3
               ORDER BY n.note_no";
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(receiver).bind(node).bind(until).fetch_all(c).await?))
}

/// Records that a receiver took the notes that this process claimed until an instant.
pub async fn sent(tx: &mut Tx, receiver: &str, node: &str, until: DateTime<Utc>, now: DateTime<Utc>) -> Result<()> {
    let sql = "UPDATE alert_note SET sent_at = $4
               WHERE receiver = $1 AND sent_at IS NULL AND claimed_by = $2 AND claimed_until = $3";
    on_engine!(tx, |c| sqlx::query(sql).bind(receiver).bind(node).bind(until).bind(now).execute(c).await.map(|_| ()))?;
    Ok(())
}

/// Gives up the claim of this process, so that the notes are tried again.
pub async fn give_up(tx: &mut Tx, receiver: &str, node: &str) -> Result<()> {
    let sql = "UPDATE alert_note SET claimed_by = NULL, claimed_until = NULL
               WHERE receiver = $1 AND sent_at IS NULL AND claimed_by = $2";
    on_engine!(tx, |c| sqlx::query(sql).bind(receiver).bind(node).execute(c).await.map(|_| ()))?;
    Ok(())
}

/// Records that a receiver could not be reached.
pub async fn silent(tx: &mut Tx, receiver: &str, reason: &str, now: DateTime<Utc>) -> Result<()> {
    let sql = "INSERT INTO silent_receiver (receiver, since, reason) VALUES ($1, $2, $3)
               ON CONFLICT (receiver) DO UPDATE SET reason = excluded.reason";
    on_engine!(tx, |c| sqlx::query(sql).bind(receiver).bind(now).bind(reason).execute(c).await.map(|_| ()))?;
    Ok(())
}

/// Records that a receiver answers, or is no longer configured.
pub async fn heard(tx: &mut Tx, receiver: &str) -> Result<()> {
    let sql = "DELETE FROM silent_receiver WHERE receiver = $1";
    on_engine!(tx, |c| sqlx::query(sql).bind(receiver).execute(c).await.map(|_| ()))?;
    Ok(())
}

/// The receivers that could not be reached at the last attempt.
pub async fn silent_receivers(tx: &mut Tx) -> Result<Vec<SilentReceiver>> {
    let sql = "SELECT receiver, since, reason FROM silent_receiver ORDER BY receiver";
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).fetch_all(c).await?))
}
