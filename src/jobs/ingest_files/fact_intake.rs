//! Decides rows of facts against what is recorded about their orders, and collects the facts to record. A row whose
//! order is unknown waits.

use std::collections::HashMap;

use anyhow::Result;
use chrono::NaiveDate;

use super::chunk::Chunk;
use super::other_keys::{OtherKeys, key, minor_of};
use super::outcome::Outcome;
use crate::books::environment::Environment;
use crate::books::order_decisions::into_cases;
use crate::domain::calendar::{day_of, days_between};
use crate::domain::facts::case::Case;
use crate::domain::facts::correction::{Action, CorrectionRow};
use crate::domain::facts::fact::{Fact, FactKind, FactRow, What};
use crate::domain::facts::source::Source;
use crate::domain::intake::admission::{admit, admit_given_back, not_before_order};
use crate::domain::intake::code::{ExceptionCode, RowCode};
use crate::domain::money::Currency;
use crate::domain::words::count;
use crate::files::read::reader::Line;
use crate::files::rows::facts::{fingerprint_of, fingerprint_of_money};
use crate::files::rows::{Kind, Row};
use crate::scheme::Merchant;
use crate::store::bills::{self, ListedLine};
use crate::store::exceptions::NewException;
use crate::store::facts::{self, NewFact};
use crate::store::{Tx, file_rows, orders};

/// The loaded data for deciding a chunk of facts, and the accepted facts.
pub struct FactIntake<'a> {
    environment: &'a Environment,
    merchant: &'a Merchant,
    today: NaiveDate,
    /// Whether the rows come from a bill.
    pub is_bill: bool,
    cases: HashMap<String, Case>,
    /// Known orders that were declined.
    declined: Vec<String>,
    /// Fingerprints by key: of recorded facts, of pending rows, and of the rows of this chunk.
    known: HashMap<String, i64>,
    /// Fingerprints of the money of pending rows, by key.
    waiting: HashMap<String, i64>,
    pub other_keys: OtherKeys,
    accepted: Vec<NewFact>,
    /// The bill lines about refunds, by key. The provider paid these refunds back itself.
    given_back: HashMap<String, Vec<ListedLine>>,
}

impl<'a> FactIntake<'a> {
    pub async fn open(
        tx: &mut Tx,
        environment: &'a Environment,
        merchant: &'a Merchant,
        rows: &[&FactRow],
        today: NaiveDate,
    ) -> Result<FactIntake<'a>> {
        let mut order_ids: Vec<&str> = rows.iter().map(|row| row.order_id.as_str()).collect();
        order_ids.sort_unstable();
        order_ids.dedup();
        let loaded = orders::load(tx, &merchant.id, &order_ids).await?;
        let declined = loaded.iter().filter(|stored| stored.declined.is_some());
        let declined = declined.map(|stored| stored.order.order_id.clone()).collect();
        let facts_of = facts::of_orders(tx, &merchant.id, &order_ids).await?;
        let cases = into_cases(loaded, facts_of).into_iter();
        let mut known = HashMap::new();
        let mut kinds: Vec<FactKind> = rows.iter().map(|row| row.what.kind()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        for kind in kinds {
            let keys: Vec<&str> =
                rows.iter().filter(|row| row.what.kind() == kind).map(|row| row.id.as_str()).collect();
            known.extend(
                facts::known(tx, &merchant.id, kind, &keys).await?.into_iter().map(|(id, f)| (key(kind, &id), f)),
            );
        }
        let cases = cases.map(|(_, case)| (case.order.order_id.clone(), case)).collect();
        let other_keys = OtherKeys::load(tx, &merchant.id, rows, &cases, &mut known).await?;
        Ok(FactIntake {
            environment,
            merchant,
            today,
            is_bill: false,
            cases,
            declined,
            known,
            waiting: HashMap::new(),
            other_keys,
            accepted: Vec::new(),
            given_back: said_of_refunds(tx, merchant, rows).await?,
        })
    }

    /// Loads the pending rows with the keys of these rows. A bill's rows wait as payments and refunds, and each may
    /// also have come in its own file before.
    pub async fn load_waiting(&mut self, tx: &mut Tx, kind: Kind, rows: &[&FactRow]) -> Result<()> {
        let kinds: &[Kind] = if kind == Kind::Bills { &[Kind::Payments, Kind::Refunds] } else { &[kind] };
        for kind in kinds {
            let of_kind =
                |row: &&&FactRow| kinds.len() == 1 || (row.what.kind() == FactKind::Refund) == (*kind == Kind::Refunds);
            let of_kind: Vec<&&FactRow> = rows.iter().filter(of_kind).collect();
            let Some(what) = of_kind.first().map(|row| row.what.kind()) else { continue };
            let keys: Vec<&str> = of_kind.iter().map(|row| row.id.as_str()).collect();
            for waiting in file_rows::pending_known(tx, &self.merchant.id, *kind, &keys).await? {
                let known_as = key(what, &waiting.row_key);
                let money = waiting.amount_minor.zip(waiting.currency.as_deref().and_then(Currency::parse));
                if let Some((minor, currency)) = money {
                    let money = fingerprint_of_money(what, &waiting.order_id, minor, Some(currency));
                    self.waiting.insert(known_as.clone(), money);
                }
                self.known.insert(known_as, waiting.fingerprint);
            }
        }
        Ok(())
    }

    /// Decides a row. `suspended` says that the row came before its order, and that its money was booked in suspense.
    pub fn decide(&mut self, row: &FactRow, fingerprint: i64, source: Source, suspended: bool) -> Outcome {
        let known_as = key(row.what.kind(), &row.id);
        if let Some(known) = self.known.get(&known_as) {
            let outcome = if self.is_same_money(row, *known, fingerprint) {
                Outcome::Duplicate
            } else {
                Outcome::of_known(*known, fingerprint, row.what.kind().name(), &row.id)
            };
            if outcome == Outcome::Duplicate {
                self.note_given_back(row, source);
            }
            return outcome;
        }
        if let Some(outcome) = self.known_otherwise(row, fingerprint) {
            return outcome;
        }
        let outcome = self.judge(row, source, fingerprint, suspended);
        if matches!(outcome, Outcome::Accepted | Outcome::Pending { .. }) {
            self.known.insert(known_as, fingerprint);
        }
        if outcome == Outcome::Accepted {
            self.note_given_back(row, source);
        }
        outcome
    }

    /// Returns the rows of failed refunds, by their index in the chunk, under the keys under which the refunds are
    /// recorded.
    pub fn failed(&mut self, chunk: &Chunk<'_>) -> Vec<(usize, CorrectionRow)> {
        let rows = chunk.lines.iter().enumerate().filter_map(|(at, line)| Some((at, fact_row(line)?)));
        let mut failed = Vec::new();
        for (at, row) in rows.filter(|(_, row)| row.failed) {
            let mut row = row.clone();
            if !self.known.contains_key(&key(row.what.kind(), &row.id)) {
                let money = minor_of(&row.what).filter(|_| self.is_bill);
                let fingerprint =
                    money.map_or(0, |minor| fingerprint_of_money(row.what.kind(), &row.order_id, minor, row.currency));
                let case = self.cases.get(&row.order_id);
                let fact = case.and_then(|case| self.other_keys.fact(&row, fingerprint, case, &self.known));
                if let Some(fact) = fact {
                    row.id.clone_from(&fact.id);
                }
            }
            failed.push((at, of_failed_refund(&row)));
        }
        failed
    }

    /// If the provider gave back a refund of a known order itself, accepts a fact that records it.
    fn note_given_back(&mut self, row: &FactRow, source: Source) {
        let Some(by) = self.given_back_by(row, source) else { return };
        let Some(case) = self.cases.get_mut(&row.order_id) else { return };
        let is_noted = case.facts.iter().any(|fact| fact.what == What::GivenBack && fact.id == row.id);
        let is_refund = |fact: &&Fact| matches!(fact.what, What::Refund { .. }) && fact.id == row.id;
        let Some(refund) = case.facts.iter().find(is_refund).filter(|_| !is_noted) else { return };
        let what = What::GivenBack;
        let fact = Fact { booked_on: self.today, source: by, what, ..refund.clone() };
        let of_row = FactRow { what: What::GivenBack, currency: None, note: None, ..row.clone() };
        let (order_id, fingerprint) = (row.order_id.clone(), fingerprint_of(&of_row));
        case.facts.push(fact.clone());
        self.accepted.push(NewFact { order_id, fact, note: None, fingerprint });
    }

    /// Returns an exception about money whose date is so far ahead that it may be wrong.
    pub fn dated_ahead(&self, row: &FactRow, source: Source) -> Option<NewException> {
        let (What::Payment { minor, .. } | What::Refund { minor, .. } | What::Chargeback { minor, .. }) = row.what
        else {
            return None;
        };
        let on = day_of(row.effective_at, self.environment.scheme.zone, None);
        let days = days_between(self.today, on);
        (days > self.environment.scheme.dated_ahead_days).then(|| NewException {
            code: ExceptionCode::DatedAhead,
            row_key: row.id.clone(),
            order_id: row.order_id.clone(),
            source,
            amount_minor: Some(minor),
            currency: row.currency.map(|currency| currency.code().to_owned()),
            message: format!(
                "{} {} is dated {on}, {} ahead; it is not booked until then; if the date is wrong, have the \
                 sender correct it",
                row.what.kind().name(),
                row.id,
                count(days, "day")
            ),
        })
    }

    /// Returns the bill line that shows that the provider gave a refund back itself: this row, or an earlier one.
    fn given_back_by(&self, row: &FactRow, source: Source) -> Option<Source> {
        let What::Refund { minor, .. } = row.what else { return None };
        if self.is_bill {
            return Some(source);
        }
        let content = (row.order_id.as_str(), minor, row.currency.map(Currency::code));
        let is_it =
            |said: &&ListedLine| (said.order_id.as_str(), said.amount_minor, Some(said.currency.as_str())) == content;
        let said = self.given_back.get(&row.id)?.iter().filter(|said| !said.failed).find(is_it)?;
        Some(Source { file_no: said.file_no, line: said.line })
    }

    /// Whether a payment or refund is one that another source already reported: a bill, or the bank's answer to a
    /// debit. Only the order and the money must agree.
    fn is_same_money(&self, row: &FactRow, known: i64, fingerprint: i64) -> bool {
        let (What::Payment { minor, .. } | What::Refund { minor, .. }) = row.what else { return false };
        let money = fingerprint_of_money(row.what.kind(), &row.order_id, minor, row.currency);
        if known == money {
            return true;
        }
        let is_word_of_another = fingerprint == money;
        let booked = || {
            let case = self.cases.get(&row.order_id).filter(|case| row.currency == Some(case.order.currency));
            let is_it = |fact: &Fact| {
                let of_fact = match fact.what {
                    What::Payment { minor, .. } | What::Refund { minor, .. } => minor,
                    _ => return false,
                };
                (fact.id.as_str(), fact.what.kind(), of_fact) == (row.id.as_str(), row.what.kind(), minor)
            };
            case.is_some_and(|case| case.facts.iter().any(is_it))
        };
        let waits = || self.waiting.get(&key(row.what.kind(), &row.id)) == Some(&money);
        is_word_of_another && (waits() || booked())
    }

    /// Returns the outcome of a payment or refund that another source reported under another key.
    fn known_otherwise(&mut self, row: &FactRow, fingerprint: i64) -> Option<Outcome> {
        let case = self.cases.get(&row.order_id)?;
        let fact = self.other_keys.fact(row, fingerprint, case, &self.known)?;
        if minor_of(&fact.what) == minor_of(&row.what) && row.currency == Some(case.order.currency) {
            return Some(Outcome::Duplicate);
        }
        let (kind, id, before) = (row.what.kind().name(), &row.id, &fact.id);
        let message = format!("{kind} {id} was recorded before as {before} with other content; nothing was changed");
        Some(Outcome::Conflict { message })
    }

    fn judge(&mut self, row: &FactRow, source: Source, fingerprint: i64, suspended: bool) -> Outcome {
        let given_back = self.given_back_by(row, source).is_some();
        let is_payment = matches!(row.what, What::Payment { .. } | What::Chargeback { .. });
        let is_money = is_payment || matches!(row.what, What::Refund { .. });
        if self.declined.contains(&row.order_id) {
            let message = format!("order {} was declined", row.order_id);
            // The money was paid regardless, so it is in suspense until a person decides about it.
            return if is_payment {
                Outcome::Pending {
                    code: RowCode::OrderDeclined,
                    message: format!("{message}; the money is in suspense"),
                }
            } else {
                Outcome::Declined { code: RowCode::OrderDeclined, message }
            };
        }
        let Some(case) = self.cases.get_mut(&row.order_id) else {
            let lies = if is_money { "; its money is in suspense" } else { "" };
            let message = format!("order {} has not been seen yet; the row waits for it{lies}", row.order_id);
            return Outcome::Pending { code: RowCode::UnknownOrder, message };
        };
        if let Some(currency) = row.currency.filter(|currency| *currency != case.order.currency) {
            let message = format!("in {currency}, but order {} is in {}", row.order_id, case.order.currency);
            return if is_money {
                Outcome::Pending { code: RowCode::Currency, message: format!("{message}; its money is in suspense") }
            } else {
                let message = format!("order {} is in {}; write that", row.order_id, case.order.currency);
                Outcome::Rejected { code: RowCode::Currency, message }
            };
        }
        let Some(terms) = self.merchant.policy.version(case.order.policy_version) else {
            let version = case.order.policy_version;
            return Outcome::of_lost_version(version, &row.order_id);
        };
        let zone = self.environment.scheme.zone;
        // A fact dated slightly before its order, because of another clock or a date without a time, counts from the
        // order's day.
        let effective_on = day_of(row.effective_at, zone, terms.cut_off).max(case.order.ordered_on);
        let admitted =
            not_before_order(&row.order_id, case.order.ordered_at, terms, row.effective_at, zone).and_then(|()| {
                match row.what {
                    What::Refund { minor, .. } if given_back => admit_given_back(case, terms, minor, effective_on),
                    ref what => admit(case, terms, what, effective_on),
                }
            });
        if let Err(refusal) = admitted {
            let (code, message) = (refusal.code(), refusal.to_string());
            return if refusal.may_pass() {
                Outcome::Pending {
                    code,
                    message: format!("{message} yet; the row waits for it, its money in suspense"),
                }
            } else {
                Outcome::Rejected { code, message }
            };
        }
        let what = match row.what {
            What::Payment { minor, .. } => What::Payment { minor, suspended },
            What::Refund { minor, .. } => What::Refund { minor, suspended },
            What::Chargeback { minor, ref payment_id, .. } => {
                What::Chargeback { minor, payment_id: payment_id.clone(), suspended }
            }
            ref what => what.clone(),
        };
        let fact = Fact {
            id: row.id.clone(),
            effective_at: row.effective_at,
            effective_on,
            booked_on: self.today,
            source,
            what,
        };
        case.facts.push(fact.clone());
        self.accepted.push(NewFact { order_id: row.order_id.clone(), fact, note: row.note.clone(), fingerprint });
        Outcome::Accepted
    }

    pub async fn write(self, tx: &mut Tx) -> Result<()> {
        let FactIntake { merchant, today, accepted, .. } = self;
        facts::add(tx, &merchant.id, &accepted).await?;
        let touched: Vec<&str> = accepted.iter().map(|new| new.order_id.as_str()).collect();
        orders::wake(tx, &merchant.id, &touched, today).await
    }
}

/// Returns the bill lines about the refunds among these rows.
async fn said_of_refunds(
    tx: &mut Tx,
    merchant: &Merchant,
    rows: &[&FactRow],
) -> Result<HashMap<String, Vec<ListedLine>>> {
    let refunds = rows.iter().filter(|row| matches!(row.what, What::Refund { .. }));
    let keys: Vec<&str> = refunds.map(|row| row.id.as_str()).collect();
    if keys.is_empty() { Ok(HashMap::new()) } else { bills::listed(tx, &merchant.id, FactKind::Refund, &keys).await }
}

/// Returns the correction that voids a refund whose sender reports that it failed.
fn of_failed_refund(row: &FactRow) -> CorrectionRow {
    CorrectionRow {
        id: format!("{}:failed", row.id),
        kind: FactKind::Refund,
        fact_id: row.id.clone(),
        action: Action::Void,
        order_id: Some(row.order_id.clone()),
        channel: None,
        corrected_at: row.effective_at,
        reason: "the refund did not go through, its sender says".to_owned(),
        approved_by: "the sender of the file".to_owned(),
    }
}

/// Returns the fact in a line of a file of facts or bills.
pub fn fact_row(line: &Line) -> Option<&FactRow> {
    match &line.parsed.as_ref().ok()?.row {
        Row::Fact(row) => Some(row),
        Row::Bill(row) => Some(&row.fact),
        Row::Customer(_)
        | Row::Opening(_)
        | Row::Order(_)
        | Row::Result(_)
        | Row::Correction(_)
        | Row::DeliveryFailure(_) => None,
    }
}
