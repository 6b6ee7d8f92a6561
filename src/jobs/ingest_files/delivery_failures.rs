//! Delivery failures. A bounce stops mails to the address until the customer's row comes with other content; a complaint or an
//! unsubscription stops all mails to the customer but the notice before a negative report.

use std::collections::HashMap;

use anyhow::Result;

use super::chunk::Chunk;
use super::outcome::Outcome;
use crate::domain::facts::delivery_failure::{DeliveryFailure, FailureKind};
use crate::domain::intake::code::RowCode;
use crate::files::rows::Row;
use crate::store::delivery_failures::{self, NewFailure};
use crate::store::{Tx, customers, mails};

pub async fn decide(tx: &mut Tx, chunk: &Chunk<'_>) -> Result<Vec<Outcome>> {
    let failures: Vec<&DeliveryFailure> =
        chunk.lines.iter().filter_map(|line| failure(&line.parsed.as_ref().ok()?.row)).collect();
    let ids: Vec<&str> = failures.iter().map(|failure| failure.message_id.as_str()).collect();
    let customers_of: HashMap<String, String> = mails::customers_of(tx, &ids).await?.into_iter().collect();
    let mut known = delivery_failures::known(tx, &ids).await?;
    let who: Vec<&str> = customers_of.values().map(String::as_str).collect();
    let people = customers::load(tx, &who).await?;
    let mut fresh = Vec::new();
    let mut outcomes = Vec::with_capacity(chunk.lines.len());
    for line in chunk.lines {
        let parsed = match &line.parsed {
            Ok(parsed) => parsed,
            Err(rejection) => {
                outcomes.push(Outcome::from(rejection));
                continue;
            }
        };
        let Some(failure) = failure(&parsed.row) else { unreachable!("a file of delivery failures holds those") };
        let key = (failure.message_id.clone(), failure.kind.name().to_owned());
        outcomes.push(match (customers_of.get(&failure.message_id), known.get(&key)) {
            (None, _) => Outcome::Rejected {
                code: RowCode::UnknownMail,
                message: "no mail with this Message-ID was sent".to_owned(),
            },
            (_, Some(content)) => {
                Outcome::of_known(*content, parsed.fingerprint, "the failure of mail", &failure.message_id)
            }
            (Some(customer_id), None) => {
                known.insert(key, parsed.fingerprint);
                // The customer may have another address by now.
                let address = people.get(customer_id).map(|customer| customer.email.as_str());
                let is_current = address.is_some_and(|address| address.eq_ignore_ascii_case(&failure.address));
                fresh.push((failure, customer_id.as_str(), parsed.fingerprint, is_current, line.number));
                Outcome::Accepted
            }
        });
    }
    let rows: Vec<NewFailure<'_>> = fresh
        .iter()
        .map(|(failure, customer_id, fingerprint, _, line)| NewFailure {
            message_id: &failure.message_id,
            kind: failure.kind.name(),
            customer_id,
            happened_at: failure.at,
            booked_on: chunk.today,
            fingerprint: *fingerprint,
            file_no: chunk.file.file_no,
            line: *line,
        })
        .collect();
    delivery_failures::add(tx, &rows).await?;
    for (failure, customer_id, _, is_current, _) in fresh {
        match failure.kind {
            FailureKind::Bounce if is_current => customers::mail_failed(tx, customer_id, chunk.today).await?,
            FailureKind::Bounce => {}
            FailureKind::Complaint | FailureKind::Unsubscribe => {
                delivery_failures::opt_out(tx, customer_id, chunk.today).await?;
            }
        }
    }
    Ok(outcomes)
}

fn failure(row: &Row) -> Option<&DeliveryFailure> {
    match row {
        Row::DeliveryFailure(failure) => Some(failure),
        Row::Customer(_)
        | Row::Opening(_)
        | Row::Order(_)
        | Row::Fact(_)
        | Row::Result(_)
        | Row::Bill(_)
        | Row::Correction(_) => None,
    }
}
