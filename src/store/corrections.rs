//! Corrections of facts. Corrections are added and never changed; the corrected fact stays as it is.

use std::collections::HashMap;

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDate, Utc};

use super::bulk::{self, Table, row};
use super::engine::{Tx, key_set, on_engine, sql_for};
use super::fact_columns::{BOOKED_DAY, Columns};
use crate::domain::calendar::plus;
use crate::domain::facts::correction::Correction;
use crate::domain::facts::fact::{Fact, FactKind};
use crate::domain::facts::source::Source;

const CORRECTION: Table = Table {
    name: "correction",
    columns: &[
        "merchant_id",
        "correction_id",
        "order_id",
        "kind",
        "fact_id",
        "action",
        "corrected_at",
        "booked_on",
        "reason",
        "approved_by",
        "effective_at",
        "effective_on",
        "amount_minor",
        "days",
        "ends_on",
        "detail",
        "channel",
        "content",
        "file_no",
        "line",
    ],
    key: 2,
};

/// A correction to add.
pub struct NewCorrection {
    pub order_id: String,
    pub correction: Correction,
    pub fingerprint: i64,
}

/// The fingerprints of the known corrections with these keys.
pub async fn known(tx: &mut Tx, merchant: &str, ids: &[&str]) -> Result<HashMap<String, i64>> {
    let sql = "SELECT correction_id, content FROM correction WHERE merchant_id = $1 AND correction_id IN {keys $2}";
    let sql = sql_for(tx, sql);
    let keys = key_set(ids.iter().copied());
    let rows: Vec<(String, i64)> =
        on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(keys).fetch_all(c).await?);
    Ok(rows.into_iter().collect())
}

pub async fn add(tx: &mut Tx, merchant: &str, corrections: &[NewCorrection]) -> Result<()> {
    let mut cells = Vec::with_capacity(corrections.len() * CORRECTION.columns.len());
    for NewCorrection { order_id, correction, fingerprint } in corrections {
        let instead = correction.instead.as_ref();
        let columns = instead.map(|fact| Columns::of(&fact.what)).unwrap_or_default();
        cells.extend(row![
            merchant,
            correction.id.as_str(),
            order_id.as_str(),
            correction.kind,
            correction.fact_id.as_str(),
            if instead.is_some() { "replace" } else { "void" },
            correction.corrected_at,
            correction.booked_on,
            correction.reason.as_str(),
            correction.approved_by.as_str(),
            instead.map(|fact| fact.effective_at),
            instead.map(|fact| fact.effective_on),
            columns.amount_minor,
            columns.days,
            columns.ends_on,
            columns.detail,
            correction.channel.as_deref(),
            *fingerprint,
            correction.source.file_no,
            correction.source.line,
        ]);
    }
    bulk::insert(tx, &CORRECTION, cells).await
}

/// The corrections of these orders' facts, in order of arrival.
pub async fn of_orders(tx: &mut Tx, merchant: &str, order_ids: &[&str]) -> Result<HashMap<String, Vec<Correction>>> {
    // Corrections are rare: one query usually shows that there are none.
    let sql = "SELECT EXISTS (SELECT 1 FROM correction WHERE merchant_id = $1)";
    let any: bool = on_engine!(tx, |c| sqlx::query_scalar(sql).bind(merchant).fetch_one(c).await?);
    if !any {
        return Ok(HashMap::new());
    }
    let sql = sql_for(
        tx,
        "SELECT correction_id, order_id, kind, fact_id, corrected_at, booked_on, reason, approved_by, effective_at,
                effective_on, amount_minor, days, ends_on, detail, channel, FALSE AS suspended, file_no, line
         FROM correction WHERE merchant_id = $1 AND order_id IN {keys $2} ORDER BY booked_on, file_no, line",
    );
    let keys = key_set(order_ids.iter().copied());
    let rows: Vec<Row> = on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(keys).fetch_all(c).await?);
    let mut corrections: HashMap<String, Vec<Correction>> = HashMap::new();
    for row in rows {
        let (order_id, correction) = row.into_correction()?;
        corrections.entry(order_id).or_default().push(correction);
    }
    Ok(corrections)
}

#[derive(sqlx::FromRow)]
struct Row {
    correction_id: String,
    order_id: String,
    kind: FactKind,
    fact_id: String,
    corrected_at: DateTime<Utc>,
    booked_on: NaiveDate,
    reason: String,
    approved_by: String,
    effective_at: Option<DateTime<Utc>>,
    effective_on: Option<NaiveDate>,
    #[sqlx(flatten)]
    columns: Columns,
    channel: Option<String>,
    file_no: i64,
    line: i64,
}

impl Row {
    fn into_correction(self) -> Result<(String, Correction)> {
        let source = Source { file_no: self.file_no, line: self.line };
        let instead = match self.effective_at.zip(self.effective_on) {
            None => None,
            Some((effective_at, effective_on)) => {
                let reading = || format!("stored correction {} of {} {}", self.correction_id, self.kind, self.fact_id);
                let what = self.columns.read(self.kind).with_context(reading)?;
                let (id, booked_on) = (self.fact_id.clone(), self.booked_on);
                Some(Fact { id, effective_at, effective_on, booked_on, source, what })
            }
        };
        let correction = Correction {
            id: self.correction_id,
            kind: self.kind,
            fact_id: self.fact_id,
            instead,
            channel: self.channel,
            corrected_at: self.corrected_at,
            booked_on: self.booked_on,
            source,
            reason: self.reason,
            approved_by: self.approved_by,
        };
        Ok((self.order_id, correction))
    }
}

/// A corrected key and the effect on its booked money.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct MoneyCorrected {
    pub event: FactKind,
    pub fact_id: String,
    pub order_id: String,
    pub currency: String,
    /// The provider of the file and the amount it stated; nothing if the file withdrew it.
    pub provider: String,
    pub first_minor: i64,
    /// The change booked on the requested days, and the amount in the books at their end.
    pub booked_minor: i64,
    pub our_minor: i64,
    /// The amount that would have been booked on these days without corrections.
    pub uncorrected_minor: i64,
    /// Whether it was corrected on these days.
    pub is_new: bool,
}

const OF_FACT: &str =
    "FROM correction c WHERE c.merchant_id = f.merchant_id AND c.kind = f.kind AND c.fact_id = f.fact_id";
const LATEST: &str = "ORDER BY c.corrected_at DESC, c.booked_on DESC, c.file_no DESC, c.line DESC LIMIT 1";

/// A value in force of fact `f` at the end of a day, or now: from its latest correction, or from the fact itself.
fn by_latest(day: Option<&str>, of_correction: &str, of_fact: &str) -> String {
    let by = day.map(|day| format!("AND c.booked_on <= {day}")).unwrap_or_default();
    format!(
        "CASE WHEN EXISTS (SELECT 1 {OF_FACT} {by}) THEN (SELECT {of_correction} {OF_FACT} {by} {LATEST}) ELSE {of_fact} END"
    )
}

/// The amount of fact `f` in force at the end of a day, or now; NULL if the fact is void.
pub(super) fn in_force(day: Option<&str>) -> String {
    by_latest(day, "c.amount_minor", "f.amount_minor")
}

/// The booking day of the amount in force.
pub(super) fn in_force_on(day: Option<&str>) -> String {
    let of_correction = "CASE WHEN c.effective_on > c.booked_on THEN c.effective_on
                              WHEN c.effective_on IS NOT NULL THEN c.booked_on END";
    by_latest(day, of_correction, BOOKED_DAY)
}

/// The note of fact `f` in force; of a payment, the channel as corrected.
pub(super) fn note_in_force() -> String {
    format!("COALESCE((SELECT c.channel {OF_FACT} {LATEST}), f.note)")
}

/// The amount of fact `f` in the books at the end of a day; NULL if the fact is void, not known yet, or dated ahead.
pub(super) fn in_books(day: &str) -> String {
    let of_correction = format!("CASE WHEN c.effective_on <= {day} THEN c.amount_minor END");
    let of_fact = format!("CASE WHEN f.booked_on <= {day} AND f.effective_on <= {day} THEN f.amount_minor END");
    by_latest(Some(day), &of_correction, &of_fact)
}

/// The kinds of facts that are money, written as in the indexes.
const MONEY: &str = "('payment', 'refund', 'chargeback')";

/// Payments, refunds and chargebacks that were corrected on the days since..=day, or whose earlier correction changes the
/// amount booked on these days. The amounts of chargebacks are negative.
pub async fn money_on(tx: &mut Tx, merchant: &str, since: NaiveDate, day: NaiveDate) -> Result<Vec<MoneyCorrected>> {
    // Each of the three searches has an index of its own, so the cost is that of these days.
    let (after, before) = (in_books("$2"), in_books("$3"));
    let sql = format!(
        "SELECT f.kind AS event, f.fact_id, f.order_id, o.currency, s.provider,
                CASE WHEN EXISTS (SELECT 1 FROM correction p WHERE p.merchant_id = f.merchant_id AND p.booked_on <= $2
                                  AND p.kind = f.kind AND p.correction_id = f.fact_id || ':failed') THEN 0
                     ELSE d.sign * f.amount_minor END AS first_minor,
                d.sign * (COALESCE({after}, 0) - COALESCE({before}, 0)) AS booked_minor,
                d.sign * COALESCE({after}, 0) AS our_minor,
                CASE WHEN {BOOKED_DAY} > $3 AND {BOOKED_DAY} <= $2 THEN d.sign * f.amount_minor ELSE 0 END
                AS uncorrected_minor,
                EXISTS (SELECT 1 {OF_FACT} AND c.booked_on > $3 AND c.booked_on <= $2) AS is_new
         FROM (SELECT kind, fact_id, CAST(CASE kind WHEN 'chargeback' THEN -1 ELSE 1 END AS BIGINT) AS sign
               FROM (SELECT kind, fact_id FROM correction
                     WHERE merchant_id = $1 AND booked_on > $3 AND booked_on <= $2 AND kind IN {MONEY}
                     UNION
                     SELECT kind, fact_id FROM correction
                     WHERE merchant_id = $1 AND effective_on > $3 AND effective_on <= $2
                       AND effective_on > booked_on AND kind IN {MONEY}
                     UNION
                     SELECT k.kind, k.fact_id FROM fact k
                     WHERE k.merchant_id = $1 AND k.effective_on > $3 AND k.effective_on <= $2
                       AND k.effective_on > k.booked_on AND k.kind IN {MONEY}
                       AND EXISTS (SELECT 1 FROM correction c WHERE c.merchant_id = k.merchant_id AND c.kind = k.kind
                                   AND c.fact_id = k.fact_id AND c.booked_on <= $2)) AS keys) d
         JOIN fact f ON f.merchant_id = $1 AND f.kind = d.kind AND f.fact_id = d.fact_id
         JOIN orders o ON o.merchant_id = f.merchant_id AND o.order_id = f.order_id
         JOIN file s ON s.file_no = f.file_no
         ORDER BY f.kind, f.fact_id"
    );
    let sql = sqlx::AssertSqlSafe(sql);
    let before = plus(since, -1);
    let mut rows: Vec<MoneyCorrected> =
        on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(day).bind(before).fetch_all(c).await?);
    rows.retain(|row| row.is_new || row.booked_minor != row.uncorrected_minor);
    Ok(rows)
}
