//! A payment provider's bill: payments and refunds in one file, each with the provider's fee. A row is both the payment or
//! refund that the merchant's own file would contain and the provider's record of it.

use std::collections::BTreeMap;

use chrono::SecondsFormat;

use super::facts::{fingerprint_of_money, fingerprint_under};
use super::{Kind, Parsed, Row};
use crate::domain::facts::fact::{FactKind, FactRow, What};
use crate::domain::money::Currency;
use crate::files::rows::cell::{Cells, Rejection};

pub const COLUMNS: &[&str] = &["transaction_id", "order_id", "event", "amount", "currency", "occurred_at"];

/// The event of a refund that failed.
const REFUND_FAILED: &str = "refund_failed";

/// A bill's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillRow {
    /// The payment, under its transaction_id, or the refund, under its refund_id.
    pub fact: FactRow,
    pub minor: i64,
    pub currency: Currency,
    /// The provider's fee; negative if the provider pays a fee back.
    pub fee_minor: Option<i64>,
    /// For a refund, the transaction_id of its payment.
    pub transaction_id: String,
}

impl BillRow {
    /// The kind of the merchant's file that would contain the same row.
    pub fn kind(&self) -> Kind {
        if self.fact.what.kind() == FactKind::Refund { Kind::Refunds } else { Kind::Payments }
    }

    /// The cells of the same row in the merchant's file. A row that waits is stored and read again in this form.
    pub fn own_cells(&self) -> BTreeMap<&'static str, String> {
        let (id, at, note) = if self.kind() == Kind::Refunds {
            ("refund_id", "refunded_at", "reason")
        } else {
            ("payment_id", "paid_at", "channel")
        };
        BTreeMap::from([
            (id, self.fact.id.clone()),
            ("order_id", self.fact.order_id.clone()),
            ("amount", self.currency.plain(self.minor)),
            ("currency", self.currency.code().to_owned()),
            (at, self.fact.effective_at.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
            (note, self.fact.note.clone().unwrap_or_default()),
        ])
    }
}

/// The kind of an unreadable row and the column with its key, as far as its cells say.
pub fn about<'a>(cell: impl Fn(&str) -> &'a str) -> (Kind, &'static str) {
    match (cell("event"), cell("refund_id")) {
        ("refund" | REFUND_FAILED, "") => (Kind::Refunds, "transaction_id"),
        ("refund" | REFUND_FAILED, _) => (Kind::Refunds, "refund_id"),
        _ => (Kind::Payments, "transaction_id"),
    }
}

pub fn parse(cells: &Cells<'_>) -> Result<Parsed, Rejection> {
    let transaction_id = cells.key("transaction_id")?;
    let order_id = cells.key("order_id")?;
    let kind = |text: &str| match text {
        "payment" => Some((Kind::Payments, false)),
        "refund" => Some((Kind::Refunds, false)),
        REFUND_FAILED => Some((Kind::Refunds, true)),
        _ => None,
    };
    let (kind, failed) = cells.word("event", kind, &["payment", "refund", REFUND_FAILED])?;
    let currency = cells.currency("currency")?;
    let minor = cells.moved("amount", currency)?;
    let (id, what) = if kind == Kind::Refunds {
        (cells.key("refund_id")?, What::Refund { minor, suspended: false })
    } else {
        (transaction_id.clone(), What::Payment { minor, suspended: false })
    };
    let fact = FactRow {
        id,
        order_id,
        effective_at: cells.instant("occurred_at")?,
        what,
        currency: Some(currency),
        note: cells.text("channel")?,
        failed,
    };
    let fee_minor = cells.optional_signed_amount("fee", currency)?;
    let fingerprint = if failed {
        fingerprint_under(REFUND_FAILED, &fact.order_id, minor, Some(currency))
    } else {
        fingerprint_of_money(fact.what.kind(), &fact.order_id, minor, Some(currency))
    };
    let row = BillRow { fact, minor, currency, fee_minor, transaction_id };
    Ok(Parsed { fingerprint, row: Row::Bill(row) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: [&str; 9] =
        ["transaction_id", "order_id", "event", "amount", "currency", "occurred_at", "refund_id", "fee", "channel"];

    fn read(row: &str) -> Result<BillRow, Rejection> {
        let header = HEADER.map(str::to_owned);
        let cells = csv::StringRecord::from(row.split(',').collect::<Vec<_>>());
        match parse(&Cells { header: &header, cells: &cells, zone: chrono_tz::Asia::Shanghai, as_sent: None })?.row {
            Row::Bill(row) => Ok(row),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_row_is_a_payment_or_a_refund_with_its_fee() {
        for (row, expected) in [
            ("T1,O1,payment,100.00,CNY,2026-03-05,,0.60,alipay", "payment T1 10000 fee Some(60)"),
            ("T1,O1,payment,100.00,CNY,2026-03-05,,0,", "payment T1 10000 fee Some(0)"),
            ("T1,O1,payment,100.00,CNY,2026-03-05,,,", "payment T1 10000 fee None"),
            ("T1,O1,payment,100.00,CNY,2026-03-05,R1,0.6,", "payment T1 10000 fee Some(60)"),
            ("T1,O1,refund,40.00,CNY,2026-03-06,R1,-0.24,", "refund R1 4000 fee Some(-24)"),
            ("T1,O1,refund,40.00,CNY,2026-03-06,T1,,", "refund T1 4000 fee None"),
            ("T1,O1,refund,40.00,CNY,2026-03-06,,,", "MISSING_VALUE column refund_id is empty; it is required"),
            (
                "T1,O1,refunded,40.00,CNY,2026-03-06,R1,,",
                "BAD_VALUE column event, value \"refunded\": write one of payment, refund, refund_failed",
            ),
            (
                "T1,O1,payment,1.00,CNY,2026-03-06,,0.005,",
                "BAD_AMOUNT column fee, value \"0.005\": CNY has 2 digits after the point",
            ),
            (
                "T1,O1,refund,-40.00,CNY,2026-03-06,R1,,",
                "BAD_AMOUNT column amount, value \"-40.00\": must be more than 0",
            ),
        ] {
            let found = match read(row) {
                Ok(row) => {
                    format!("{} {} {} fee {:?}", row.fact.what.kind().name(), row.fact.id, row.minor, row.fee_minor)
                }
                Err(rejection) => format!("{} {}", rejection.code, rejection.message),
            };
            assert_eq!(found, expected, "{row}");
        }
    }

    #[test]
    fn a_waiting_row_is_read_again_as_its_payment_or_refund() {
        for row in [
            "T1,O1,payment,100.00,CNY,2026-03-05 23:30:00,,0.60,alipay",
            "T1,O1,refund,40.00,CNY,2026-03-06 08:00:00.5+01:00,R1,,",
        ] {
            let row = read(row).unwrap();
            let (header, cells): (Vec<String>, csv::StringRecord) =
                row.own_cells().into_iter().map(|(column, cell)| (column.to_owned(), cell)).unzip();
            let cells = Cells { header: &header, cells: &cells, zone: chrono_tz::America::New_York, as_sent: None };
            assert_eq!(super::super::parse(row.kind(), &cells).unwrap().row, Row::Fact(row.fact));
        }
    }
}
