//! Customers and agreements. A later row with other content is an update, and is stored with its date. An older row is
//! stored too, but changes nothing else. The current state of an agreement is the one with the latest `changed_at`;
//! that of a customer comes from the file with the latest date, whatever the order of arrival.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;
use chrono::NaiveDate;

use super::chunk::Chunk;
use super::outcome::Outcome;
use crate::books::environment::Environment;
use crate::domain::facts::customer::{AgreementRow, Customer};
use crate::domain::facts::source::Source;
use crate::domain::intake::code::{ExceptionCode, RowCode};
use crate::domain::owner::Owner;
use crate::files::read::reader::Line;
use crate::files::rows::Row;
use crate::scheme::Merchant;
use crate::store::customers::{self, Delivered};
use crate::store::exceptions::{self, NewException};
use crate::store::{Tx, exposure};

pub async fn customers(tx: &mut Tx, environment: &Environment, chunk: &Chunk<'_>) -> Result<Vec<Outcome>> {
    let Chunk { file, lines, today, .. } = *chunk;
    let ids: Vec<&str> = lines.iter().filter_map(|line| Some(line.parsed.as_ref().ok()?.row.key())).collect();
    let known = customers::known(tx, &ids).await?;
    let dated_on = file.dated_on.unwrap_or(today);
    let mut waves = Waves::new(known.iter().map(|(id, (content, _))| (id.clone(), *content)));
    let mut outdated = Vec::new();
    let mut outcomes = Vec::with_capacity(lines.len());
    for line in lines {
        outcomes.push(match &line.parsed {
            Ok(parsed) => {
                let Row::Customer(customer) = &parsed.row else { unreachable!("a file of customers holds customers") };
                let source = Source { file_no: file.file_no, line: line.number };
                let fingerprint = parsed.fingerprint;
                match known.get(&customer.customer_id) {
                    Some((content, newer)) if dated_on < *newer && *content != fingerprint => {
                        outdated.push(Delivered { record: customer.clone(), fingerprint, source });
                        Outcome::Accepted
                    }
                    _ => waves.take(&customer.customer_id, fingerprint, source, customer.clone()),
                }
            }
            Err(rejection) => Outcome::from(rejection),
        });
    }
    let bound_before = with_cards(tx, &waves).await?;
    customers::keep_outdated(tx, today, &outdated).await?;
    for Wave { fresh, updates } in &waves.waves {
        let updates: Vec<&str> = updates.iter().map(String::as_str).collect();
        customers::save(tx, today, fresh, &updates).await?;
    }
    report_cards(tx, environment, &waves, &bound_before, today).await?;
    for merchant in &environment.scheme.merchants {
        exceptions::resolve_if_open(tx, &merchant.id, ExceptionCode::UnknownCustomer, &ids, today).await?;
    }
    Ok(outcomes)
}

/// Returns the customers to update who have a bank card bound so far.
async fn with_cards(tx: &mut Tx, waves: &Waves<Customer>) -> Result<Vec<String>> {
    let updated: Vec<&str> = waves.waves.iter().flat_map(|wave| &wave.updates).map(String::as_str).collect();
    if updated.is_empty() {
        return Ok(Vec::new());
    }
    let before = customers::load(tx, &updated).await?;
    Ok(before.into_values().filter(|customer| customer.bank_card_bound).map(|customer| customer.customer_id).collect())
}

/// Reports customers who owe money and no longer have a card bound: they cannot be debited.
async fn report_cards(
    tx: &mut Tx,
    environment: &Environment,
    waves: &Waves<Customer>,
    bound_before: &[String],
    today: NaiveDate,
) -> Result<()> {
    // If several rows are about one customer, the last counts.
    let mut latest: BTreeMap<&str, (&Customer, Source)> = BTreeMap::new();
    for Delivered { record, source, .. } in waves.waves.iter().flat_map(|wave| &wave.fresh) {
        latest.insert(&record.customer_id, (record, *source));
    }
    let bound: Vec<&str> = latest.iter().filter(|(_, (now, _))| now.bank_card_bound).map(|(id, _)| *id).collect();
    let unbound: Vec<(&str, Source)> = bound_before
        .iter()
        .filter_map(|id| latest.get_key_value(id.as_str()))
        .filter(|(_, (now, _))| !now.bank_card_bound)
        .map(|(id, (_, source))| (*id, *source))
        .collect();
    for merchant in &environment.scheme.merchants {
        exceptions::resolve_if_open(tx, &merchant.id, ExceptionCode::CardUnboundWhileOwing, &bound, today).await?;
        let message_of = |owed: &str, id: &str| {
            format!(
                "customer {id} no longer has a bank card bound, but owes {owed} to {}; ask them to bind one or to pay by hand",
                merchant.id
            )
        };
        let unbound: Vec<_> = unbound.iter().map(|(id, source)| (*id, *id, *source)).collect();
        report_owing(tx, merchant, ExceptionCode::CardUnboundWhileOwing, &unbound, message_of, today).await?;
    }
    Ok(())
}

/// Opens an exception for each of these customers who owes the merchant. `about` has customer, key and source; `message_of`
/// makes the message.
async fn report_owing(
    tx: &mut Tx,
    merchant: &Merchant,
    code: ExceptionCode,
    about: &[(&str, &str, Source)],
    message_of: impl Fn(&str, &str) -> String,
    today: NaiveDate,
) -> Result<()> {
    if about.is_empty() {
        return Ok(());
    }
    let customers: Vec<&str> = about.iter().map(|(customer, ..)| *customer).collect();
    let owed = exposure::of(tx, &merchant.id, &customers).await?;
    let currency = merchant.policy.in_force(today).unwrap_or(&merchant.policy.versions[0]).currency;
    let mut opened = Vec::new();
    for (customer, key, source) in about {
        let Some(minor) = owed.get(*customer).map(|owed| owed.minor).filter(|minor| *minor > 0) else { continue };
        let amount = format!("{} {currency}", currency.plain(minor));
        opened.push(NewException {
            row_key: (*key).to_owned(),
            source: *source,
            amount_minor: Some(minor),
            currency: Some(currency.code().to_owned()),
            ..NewException::new(code, message_of(&amount, key))
        });
    }
    exceptions::open(tx, Owner::Merchant(&merchant.id), today, &opened).await
}

pub async fn agreements(tx: &mut Tx, environment: &Environment, chunk: &Chunk<'_>) -> Result<Vec<Outcome>> {
    let Chunk { file, lines, today, .. } = *chunk;
    let mut by_merchant: BTreeMap<&str, Agreements> = BTreeMap::new();
    for merchant in &environment.scheme.merchants {
        let ids: Vec<&str> = lines
            .iter()
            .filter_map(|line| opening(line))
            .filter(|opening| opening.merchant_id == merchant.id)
            .map(|opening| opening.agreement.agreement_id.as_str())
            .collect();
        if !ids.is_empty() {
            let known = customers::known_agreements(tx, &merchant.id, &ids).await?;
            by_merchant.insert(&merchant.id, Agreements::new(known));
        }
    }
    let mut outcomes = Vec::with_capacity(lines.len());
    for line in lines {
        outcomes.push(match (&line.parsed, opening(line)) {
            (Ok(parsed), Some(opening)) => match by_merchant.get_mut(opening.merchant_id.as_str()) {
                Some(agreements) => {
                    let source = Source { file_no: file.file_no, line: line.number };
                    agreements.take(parsed.fingerprint, source, opening)
                }
                None => Outcome::Rejected {
                    code: RowCode::UnknownMerchant,
                    message: format!(
                        "column merchant_id, value {:?}: no such merchant is configured; correct the id, or configure the merchant",
                        opening.merchant_id
                    ),
                },
            },
            (Err(rejection), _) => Outcome::from(rejection),
            (Ok(_), None) => unreachable!("a file of agreements holds agreements"),
        });
    }
    for (id, agreements) in by_merchant {
        for Wave { fresh, updates } in &agreements.waves.waves {
            let updates: Vec<&str> = updates.iter().map(String::as_str).collect();
            customers::save_agreements(tx, today, fresh, &updates).await?;
        }
        for outdated in &agreements.outdated {
            customers::save_earlier(tx, id, &agreements.known[outdated].agreement).await?;
        }
        if let Some(merchant) = environment.scheme.merchant(id) {
            agreements.report(tx, merchant, today).await?;
        }
    }
    Ok(outcomes)
}

/// A merchant's agreements, with the changes of a chunk.
struct Agreements {
    waves: Waves<AgreementRow>,
    /// The current agreements, by key.
    known: HashMap<String, AgreementRow>,
    /// Keys of agreements for which an earlier state became known.
    outdated: Vec<String>,
}

impl Agreements {
    fn new(known: HashMap<String, (i64, AgreementRow)>) -> Agreements {
        let waves = Waves::new(known.iter().map(|(id, (content, _))| (id.clone(), *content)));
        let known = known.into_iter().map(|(id, (_, opening))| (id, opening)).collect();
        Agreements { waves, known, outdated: Vec::new() }
    }

    fn take(&mut self, fingerprint: i64, source: Source, row: &AgreementRow) -> Outcome {
        let id = &row.agreement.agreement_id;
        let Some(before) = self.known.get_mut(id) else {
            self.known.insert(id.clone(), row.clone());
            return self.waves.take(id, fingerprint, source, row.clone());
        };
        if self.waves.is_same(id, fingerprint) {
            return Outcome::Duplicate;
        }
        let state = row.agreement.now();
        if state.since < before.agreement.changed_at {
            if !before.agreement.learn(state) {
                return Outcome::Duplicate;
            }
            if !self.outdated.contains(id) {
                self.outdated.push(id.clone());
            }
            return Outcome::Accepted;
        }
        before.agreement.learn(state);
        before.customer_id.clone_from(&row.customer_id);
        self.waves.take(id, fingerprint, source, before.clone())
    }

    /// Opens exceptions about agreements that were closed while money is owed, and about agreements of unknown
    /// customers.
    async fn report(&self, tx: &mut Tx, merchant: &Merchant, today: NaiveDate) -> Result<()> {
        let mut changed: BTreeMap<&str, (&AgreementRow, Source)> = BTreeMap::new();
        for Delivered { record, source, .. } in self.waves.waves.iter().flat_map(|wave| &wave.fresh) {
            changed.insert(&record.agreement.agreement_id, (record, *source));
        }
        let is_open = |(_, (opening, _)): &(&&str, &(&AgreementRow, Source))| opening.agreement.open;
        let open: Vec<&str> = changed.iter().filter(is_open).map(|(id, _)| *id).collect();
        exceptions::resolve_if_open(tx, &merchant.id, ExceptionCode::ClosedWhileOwing, &open, today).await?;
        let closed: Vec<(&str, &str, Source)> = changed
            .iter()
            .filter(|(_, (opening, _))| !opening.agreement.open)
            .map(|(id, (opening, source))| (opening.customer_id.as_str(), *id, *source))
            .collect();
        let message_of = |owed: &str, id: &str| {
            format!(
                "agreement {id} was closed while its customer owes {owed}; what is owed stays owed and is collected"
            )
        };
        report_owing(tx, merchant, ExceptionCode::ClosedWhileOwing, &closed, message_of, today).await?;

        let named: Vec<&str> = changed.values().map(|(opening, _)| opening.customer_id.as_str()).collect();
        let existing = customers::existing(tx, &named).await?;
        let reported_before =
            exceptions::open_about(tx, Owner::Merchant(&merchant.id), ExceptionCode::UnknownCustomer, &named).await?;
        let mut unknown: BTreeMap<&str, NewException> = BTreeMap::new();
        for (id, (opening, source)) in &changed {
            let customer = opening.customer_id.as_str();
            if existing.contains(customer) || reported_before.contains(customer) {
                continue;
            }
            let message = format!(
                "agreement {id} names customer {customer}, who is in no file so far; their orders are declined until \
                 a file of customers has them"
            );
            unknown.entry(customer).or_insert_with(|| NewException {
                row_key: customer.to_owned(),
                source: *source,
                ..NewException::new(ExceptionCode::UnknownCustomer, message)
            });
        }
        let unknown: Vec<NewException> = unknown.into_values().collect();
        exceptions::open(tx, Owner::Merchant(&merchant.id), today, &unknown).await
    }
}

fn opening(line: &Line) -> Option<&AgreementRow> {
    match &line.parsed.as_ref().ok()?.row {
        Row::Opening(opening) => Some(opening),
        Row::Customer(_)
        | Row::Order(_)
        | Row::Fact(_)
        | Row::Result(_)
        | Row::Bill(_)
        | Row::Correction(_)
        | Row::DeliveryFailure(_) => None,
    }
}

/// Records to write, in waves. A record that a file updates twice is written twice, so that the state in between is
/// stored too.
struct Waves<T> {
    /// The current fingerprint of each key, and the last wave that has the key.
    known: HashMap<String, (i64, Option<usize>)>,
    waves: Vec<Wave<T>>,
}

struct Wave<T> {
    fresh: Vec<Delivered<T>>,
    /// Keys that were known before.
    updates: Vec<String>,
}

impl<T> Waves<T> {
    fn new(known: impl Iterator<Item = (String, i64)>) -> Waves<T> {
        let known = known.map(|(key, fingerprint)| (key, (fingerprint, None))).collect();
        Waves { known, waves: Vec::new() }
    }

    fn is_same(&self, key: &str, fingerprint: i64) -> bool {
        self.known.get(key).is_some_and(|(known, _)| *known == fingerprint)
    }

    fn take(&mut self, key: &str, fingerprint: i64, source: Source, record: T) -> Outcome {
        if self.is_same(key, fingerprint) {
            return Outcome::Duplicate;
        }
        let before = self.known.get(key).copied();
        let wave = before.and_then(|(_, wave)| wave).map_or(0, |wave| wave + 1);
        if wave == self.waves.len() {
            self.waves.push(Wave { fresh: Vec::new(), updates: Vec::new() });
        }
        self.known.insert(key.to_owned(), (fingerprint, Some(wave)));
        self.waves[wave].fresh.push(Delivered { record, fingerprint, source });
        if before.is_some() {
            self.waves[wave].updates.push(key.to_owned());
        }
        Outcome::Accepted
    }
}
