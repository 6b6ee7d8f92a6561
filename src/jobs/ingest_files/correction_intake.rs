//! Decides corrections against the facts that they name, and collects what to record.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Context, Result};
use chrono::NaiveDate;

use super::outcome::Outcome;
use super::waiting_rows;
use crate::books::environment::Environment;
use crate::books::order_decisions::into_cases;
use crate::domain::calendar::day_of;
use crate::domain::decide::due::due_dates_are_known;
use crate::domain::facts::case::Case;
use crate::domain::facts::correction::{Action, Changes, Correction, CorrectionRow, History};
use crate::domain::facts::fact::{Fact, FactKind, What};
use crate::domain::facts::source::Source;
use crate::domain::intake::admission::{Refusal, admit, admit_given_back, not_before_order};
use crate::domain::intake::code::RowCode;
use crate::domain::intake::status::RowOutcome;
use crate::files::rows::Kind;
use crate::scheme::Merchant;
use crate::store::corrections::{self, NewCorrection};
use crate::store::file_rows::{self, RecordedRow};
use crate::store::{Tx, exceptions, facts, files, orders};

/// The loaded data for deciding corrections, and the accepted corrections.
pub struct CorrectionIntake<'a> {
    environment: &'a Environment,
    merchant: &'a Merchant,
    today: NaiveDate,
    /// Fingerprints of recorded corrections.
    known: HashMap<String, i64>,
    /// The order of each fact, by kind and key.
    order_of: HashMap<(FactKind, String), String>,
    /// Pending rows, by the kind and key of the fact that each would become.
    waiting: HashMap<(FactKind, String), RecordedRow>,
    cases: HashMap<String, Case>,
    /// Orders that were declined.
    declined: BTreeSet<String>,
    accepted: Vec<NewCorrection>,
    /// Pending rows that a correction ended.
    ended: Vec<RecordedRow>,
}

/// Returns the kind of file that brings facts of this kind.
fn file_kind(kind: FactKind) -> Option<Kind> {
    Kind::ALL.into_iter().find(|file| file.fact() == Some(kind))
}

impl<'a> CorrectionIntake<'a> {
    pub async fn open(
        tx: &mut Tx,
        environment: &'a Environment,
        merchant: &'a Merchant,
        rows: &[&CorrectionRow],
        today: NaiveDate,
    ) -> Result<CorrectionIntake<'a>> {
        let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        let known = corrections::known(tx, &merchant.id, &ids).await?;
        let kinds: BTreeSet<FactKind> = rows.iter().map(|row| row.kind).collect();
        let (mut order_of, mut waiting) = (HashMap::new(), HashMap::new());
        for kind in kinds {
            let ids: Vec<&str> = rows.iter().filter(|row| row.kind == kind).map(|row| row.fact_id.as_str()).collect();
            let found = facts::orders_of(tx, &merchant.id, kind, &ids).await?;
            order_of.extend(found.into_iter().map(|(id, order_id)| ((kind, id), order_id)));
            if let Some(files) = file_kind(kind) {
                let rows = file_rows::pending_rows(tx, &merchant.id, files, &ids).await?;
                waiting.extend(rows.into_iter().map(|row| ((kind, row.row_key.clone()), row)));
            }
        }
        let mut named: Vec<&str> = order_of.values().map(String::as_str).collect();
        named.extend(rows.iter().filter_map(|row| row.order_id.as_deref()));
        named.sort_unstable();
        named.dedup();
        let loaded = orders::load(tx, &merchant.id, &named).await?;
        let declined = loaded.iter().filter(|stored| stored.declined.is_some());
        let declined = declined.map(|stored| stored.order.order_id.clone()).collect();
        let histories = facts::of_orders(tx, &merchant.id, &named).await?;
        let cases = into_cases(loaded, histories).into_iter();
        let cases = cases.map(|(_, case)| (case.order.order_id.clone(), case)).collect();
        let (accepted, ended) = (Vec::new(), Vec::new());
        Ok(CorrectionIntake {
            environment,
            merchant,
            today,
            known,
            order_of,
            waiting,
            cases,
            declined,
            accepted,
            ended,
        })
    }

    pub async fn decide(
        &mut self,
        tx: &mut Tx,
        row: &CorrectionRow,
        fingerprint: i64,
        source: Source,
    ) -> Result<Outcome> {
        if let Some(known) = self.known.get(&row.id) {
            return Ok(Outcome::of_known(*known, fingerprint, "correction", &row.id));
        }
        let key = (row.kind, row.fact_id.clone());
        let outcome = if self.order_of.contains_key(&key) {
            self.correct(row, fingerprint, source)
        } else if self.waiting.contains_key(&key) {
            self.end_waiting(tx, row, source).await?
        } else if row.order_id.as_ref().is_some_and(|order_id| self.declined.contains(order_id)) {
            let order_id = row.order_id.as_deref().unwrap_or_default();
            Outcome::Declined { code: RowCode::OrderDeclined, message: format!("order {order_id} was declined") }
        } else {
            let message = format!("{} {} has not been seen yet; the correction waits for it", row.kind, row.fact_id);
            Outcome::Pending { code: RowCode::UnknownFact, message }
        };
        if !matches!(outcome, Outcome::Rejected { .. } | Outcome::Declined { .. }) {
            self.known.insert(row.id.clone(), fingerprint);
        }
        Ok(outcome)
    }

    /// Returns the outcome that a correction would have. If the fact is still a pending row, the correction counts as
    /// accepted without further checks.
    pub fn try_one(&mut self, row: &CorrectionRow, fingerprint: i64, source: Source) -> Outcome {
        if let Some(known) = self.known.get(&row.id) {
            return Outcome::of_known(*known, fingerprint, "correction", &row.id);
        }
        let key = (row.kind, row.fact_id.clone());
        if self.order_of.contains_key(&key) {
            self.correct(row, fingerprint, source)
        } else if self.waiting.contains_key(&key) {
            Outcome::Accepted
        } else {
            let message =
                format!("{} {} has not been seen yet; the correction would wait for it", row.kind, row.fact_id);
            Outcome::Pending { code: RowCode::UnknownFact, message }
        }
    }

    /// Returns the case of the order whose fact is corrected.
    pub fn case_of(&self, row: &CorrectionRow) -> Option<&Case> {
        self.cases.get(self.order_of.get(&(row.kind, row.fact_id.clone()))?)
    }

    /// Corrects a recorded fact.
    fn correct(&mut self, row: &CorrectionRow, fingerprint: i64, source: Source) -> Outcome {
        let order_id = &self.order_of[&(row.kind, row.fact_id.clone())];
        let Some(case) = self.cases.get(order_id) else {
            let message = format!("order {order_id} was declined");
            return Outcome::Declined { code: RowCode::OrderDeclined, message };
        };
        if let Some(other) = row.order_id.as_ref().filter(|other| *other != order_id) {
            let message = format!(
                "column order_id, value {other:?}: {} {} is of order {order_id}; void it, and send it for the other order \
                 under a key of its own",
                row.kind, row.fact_id
            );
            return Outcome::Rejected { code: RowCode::WrongOrder, message };
        }
        let Some(terms) = self.merchant.policy.version(case.order.policy_version) else {
            let version = case.order.policy_version;
            return Outcome::of_lost_version(version, order_id);
        };
        let before = case.fact(row.kind, &row.fact_id);
        let rest = case.without(row.kind, &row.fact_id);
        let zone = self.environment.scheme.zone;
        let corrected = case.correction_of(row.kind, &row.fact_id);
        let channel = row.channel.as_ref().or_else(|| corrected?.channel.as_ref()).cloned();
        let instead = match &row.action {
            Action::Void => Ok(None),
            Action::Replace(changes) => {
                // If the fact is void, the replacement starts from its last content.
                let last = before.or_else(|| last_of(case, row.kind, &row.fact_id));
                let Some(last) = last else {
                    let message = format!("{} {} was void from the beginning; send it anew", row.kind, row.fact_id);
                    return Outcome::Rejected { code: RowCode::UnknownFact, message };
                };
                replaced(last, changes, &case.order.currency.to_string()).map(|(effective_at, what)| {
                    let effective_on = day_of(effective_at, zone, terms.cut_off).max(case.order.ordered_on);
                    let id = row.fact_id.clone();
                    Some(Fact { id, effective_at, effective_on, booked_on: self.today, source, what })
                })
            }
        };
        let instead = match instead {
            Ok(instead) => instead,
            Err(rejected) => return rejected,
        };
        if let Err(refusal) = self.admitted(&rest, terms, instead.as_ref(), row) {
            let message = format!("{} {} can't be corrected like this: {refusal}", row.kind, row.fact_id);
            return Outcome::Rejected { code: refusal.code(), message };
        }
        let correction = Correction {
            id: row.id.clone(),
            kind: row.kind,
            fact_id: row.fact_id.clone(),
            instead,
            channel,
            corrected_at: row.corrected_at,
            booked_on: self.today,
            source,
            reason: row.reason.clone(),
            approved_by: row.approved_by.clone(),
        };
        let (order_id, before) = (order_id.clone(), before.cloned());
        self.book(order_id, before.as_ref(), correction, fingerprint);
        Outcome::Accepted
    }

    /// Checks that a replacement follows the same rules as the fact that it replaces, and that the remaining facts are
    /// still valid without the original.
    fn admitted(
        &self,
        rest: &Case,
        terms: &crate::domain::terms::policy::Terms,
        instead: Option<&Fact>,
        row: &CorrectionRow,
    ) -> Result<(), Refusal> {
        if let Some(fact) = instead {
            let order = &rest.order;
            not_before_order(
                &order.order_id,
                order.ordered_at,
                terms,
                fact.effective_at,
                self.environment.scheme.zone,
            )?;
            let is_given_back = rest.fact(FactKind::GivenBack, &fact.id).is_some();
            match fact.what {
                What::Refund { minor, .. } if is_given_back => admit_given_back(rest, terms, minor, fact.effective_on)?,
                ref what => admit(rest, terms, what, fact.effective_on)?,
            }
        }
        let mut after = rest.clone();
        after.facts.extend(instead.cloned());
        if row.kind == FactKind::Payment {
            chargebacks_have_their_payment(&after, &row.fact_id)?;
        }
        Ok(due_dates_are_known(&after, terms)?)
    }

    fn book(&mut self, order_id: String, before: Option<&Fact>, correction: Correction, fingerprint: i64) {
        let Some(former) = self.cases.remove(&order_id) else { return };
        let (kind, id) = (correction.kind, correction.fact_id.clone());
        let Case { order, facts, superseded, mut corrections } = former;
        let latest = corrections.iter().filter(|other| other.kind == kind && other.fact_id == id);
        let counts =
            latest.map(|other| other.corrected_at).max().is_none_or(|latest| latest <= correction.corrected_at);
        let mut history = History { facts, superseded, corrections: Vec::new() };
        if counts {
            history.facts.retain(|fact| fact.id != id || fact.what.kind() != kind);
            history.superseded.extend(before.map(|fact| (fact.clone(), self.today)));
            history.facts.extend(correction.instead.clone());
        }
        corrections.push(correction.clone());
        history.corrections = corrections;
        self.cases.insert(order_id.clone(), Case::of(order, history));
        self.accepted.push(NewCorrection { order_id, correction, fingerprint });
    }

    /// Corrects a pending row: it stops waiting. If the correction replaces it, the replacement is recorded as a fact.
    async fn end_waiting(&mut self, tx: &mut Tx, row: &CorrectionRow, source: Source) -> Result<Outcome> {
        let key = (row.kind, row.fact_id.clone());
        let input = self.waiting[&key].clone();
        let file = file_kind(row.kind).context("a row of no kind waits")?;
        let (_, file_zone) = waiting_rows::kind_and_zone(tx, self.environment, input.file_no).await?;
        let waited = waiting_rows::read_fact_again(&input, file, file_zone)?;
        if let Action::Replace(changes) = &row.action {
            let mut instead = waited.clone();
            instead.what = changes.apply(&waited.what);
            instead.currency = changes.money.map(|(_, currency)| currency).or(waited.currency);
            instead.note = row.channel.clone().or(waited.note.clone());
            instead.effective_at = changes.effective_at.unwrap_or(waited.effective_at);
            instead.order_id = row.order_id.clone().unwrap_or(waited.order_id.clone());
            let mut intake =
                super::fact_intake::FactIntake::open(tx, self.environment, self.merchant, &[&instead], self.today)
                    .await?;
            let outcome = intake.decide(&instead, input.fingerprint, source, false);
            if outcome != Outcome::Accepted {
                return Ok(outcome);
            }
            intake.write(tx).await?;
        }
        let mut ended = input;
        let what = format!("correction {} of {}: {}", row.id, row.approved_by, row.reason);
        ended.outcome = RowOutcome::Declined;
        (ended.code, ended.message) = (Some(RowCode::Corrected), format!("no longer waits; {what}"));
        ended.resolved_on = Some(self.today);
        self.waiting.remove(&key);
        self.ended.push(ended);
        Ok(Outcome::Accepted)
    }

    pub async fn write(self, tx: &mut Tx) -> Result<()> {
        let CorrectionIntake { merchant, today, accepted, ended, .. } = self;
        corrections::add(tx, &merchant.id, &accepted).await?;
        let touched: Vec<&str> = accepted.iter().map(|new| new.order_id.as_str()).collect();
        orders::wake(tx, &merchant.id, &touched, today).await?;
        if ended.is_empty() {
            return Ok(());
        }
        for row in &ended {
            files::move_pending(tx, row.file_no, row.outcome, 1).await?;
        }
        let resolved = |row: &'_ RecordedRow| Source { file_no: row.file_no, line: row.line };
        let resolved: Vec<(&str, Source)> = ended.iter().map(|row| (row.row_key.as_str(), resolved(row))).collect();
        exceptions::resolve_rows(tx, &merchant.id, &waiting_rows::WAITING_FOR, &resolved, today).await?;
        file_rows::save(tx, &ended).await
    }
}

/// Returns a fact as it was before it was voided.
fn last_of<'c>(case: &'c Case, kind: FactKind, id: &str) -> Option<&'c Fact> {
    let superseded = case.superseded.iter().filter(|(fact, _)| fact.id == id && fact.what.kind() == kind);
    superseded.max_by_key(|(_, until)| *until).map(|(fact, _)| fact)
}

/// Returns the corrected time and content of a fact.
fn replaced(last: &Fact, changes: &Changes, currency: &str) -> Result<(chrono::DateTime<chrono::Utc>, What), Outcome> {
    if let Some((_, other)) = changes.money.filter(|(_, other)| other.to_string() != currency) {
        let message = format!("column currency, value {other:?}: the order is in {currency}; write that");
        return Err(Outcome::Rejected { code: RowCode::Currency, message });
    }
    let (effective_at, what) = (changes.effective_at.unwrap_or(last.effective_at), changes.apply(&last.what));
    let ends = match what {
        What::Hold { ends_on, .. } => ends_on,
        _ => None,
    };
    let starts_on = if changes.effective_at.is_some() { effective_at.date_naive() } else { last.effective_on };
    if let Some(ends_on) = ends.filter(|ends_on| *ends_on < starts_on) {
        let message = format!("column ends_on, value \"{ends_on}\": before the hold starts; void it if it never began");
        return Err(Outcome::Rejected { code: RowCode::BadTime, message });
    }
    Ok((effective_at, what))
}

/// Returns the money of a fact. It is negative for a chargeback, which takes money back.
fn money_of(fact: Option<&Fact>) -> i64 {
    match fact.map(|fact| &fact.what) {
        Some(What::Payment { minor, .. } | What::Refund { minor, .. }) => *minor,
        Some(What::Chargeback { minor, .. }) => -minor,
        _ => 0,
    }
}

/// Checks that a payment with chargebacks still exists, is large enough for them, and is not later than the first.
fn chargebacks_have_their_payment(case: &Case, payment_id: &str) -> Result<(), Refusal> {
    let of_it = |fact: &&Fact| matches!(&fact.what, What::Chargeback { payment_id: of, .. } if of == payment_id);
    let Some(first) = case.facts.iter().filter(of_it).min_by_key(|fact| fact.effective_on) else { return Ok(()) };
    let taken_back: i64 = case.facts.iter().filter(of_it).map(|fact| -money_of(Some(fact))).sum();
    let stays = case.fact(FactKind::Payment, payment_id);
    let stays = stays.is_some_and(|paid| money_of(Some(paid)) >= taken_back && paid.effective_on <= first.effective_on);
    if stays {
        return Ok(());
    }
    let (payment_id, chargeback_id) = (payment_id.to_owned(), first.id.clone());
    Err(Refusal::PaymentChargedBack { payment_id, chargeback_id })
}
