//! Customers and agreements: records that can change.

use super::{Fingerprint, Parsed, Row};
use crate::domain::facts::agreement::Agreement;
use crate::domain::facts::customer::{AgreementRow, Customer};
use crate::files::rows::cell::{Cells, Rejection};

pub const COLUMNS: &[&str] =
    &["customer_id", "name", "email", "locale", "time_zone", "credit_score", "real_name_verified", "bank_card_bound"];

pub const AGREEMENT_COLUMNS: &[&str] =
    &["agreement_id", "customer_id", "merchant_id", "status", "changed_at", "score_authorised"];

pub fn parse(cells: &Cells<'_>) -> Result<Parsed, Rejection> {
    let customer = Customer {
        customer_id: cells.key("customer_id")?,
        name: cells.person("name")?,
        email: cells.email("email")?,
        locale: cells.key("locale")?,
        time_zone: cells.word("time_zone", |name| name.parse().ok(), &["an IANA name such as Asia/Shanghai"])?,
        credit_score: cells.integer("credit_score", 0..=10_000)?,
        real_name_verified: cells.boolean("real_name_verified")?,
        bank_card_bound: cells.boolean("bank_card_bound")?,
    };
    let fingerprint = Fingerprint::of("customer")
        .and(&customer.name)
        .and(&customer.email)
        .and(&customer.locale)
        .and(customer.time_zone.name())
        .and(customer.credit_score)
        .and(customer.real_name_verified)
        .and(customer.bank_card_bound)
        .finish();
    Ok(Parsed { fingerprint, row: Row::Customer(customer) })
}

pub fn parse_agreement(cells: &Cells<'_>) -> Result<Parsed, Rejection> {
    let status = |text: &str| match text {
        "open" => Some(true),
        "closed" => Some(false),
        _ => None,
    };
    let opening = AgreementRow {
        merchant_id: cells.key("merchant_id")?,
        customer_id: cells.key("customer_id")?,
        agreement: Agreement {
            agreement_id: cells.key("agreement_id")?,
            open: cells.word("status", status, &["open", "closed"])?,
            changed_at: cells.instant("changed_at")?,
            score_authorised: cells.boolean("score_authorised")?,
            earlier: Vec::new(),
        },
    };
    let fingerprint = Fingerprint::of("agreement")
        .and(&opening.merchant_id)
        .and(&opening.customer_id)
        .and(opening.agreement.open)
        .and(opening.agreement.changed_at)
        .and(opening.agreement.score_authorised)
        .finish();
    Ok(Parsed { fingerprint, row: Row::Opening(opening) })
}
