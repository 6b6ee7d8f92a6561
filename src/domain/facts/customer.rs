//! Who pays. Names and addresses are personal: they go into mail and nowhere else.

use std::fmt;

use chrono_tz::Tz;

use super::agreement::Agreement;

/// A customer as last delivered.
#[derive(Clone, PartialEq, Eq)]
pub struct Customer {
    pub customer_id: String,
    pub name: String,
    pub email: String,
    pub locale: String,
    pub time_zone: Tz,
    pub credit_score: i64,
    pub real_name_verified: bool,
    pub bank_card_bound: bool,
}

impl fmt::Debug for Customer {
    /// Without the personal columns, so that no log line can carry them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Customer").field("customer_id", &self.customer_id).finish_non_exhaustive()
    }
}

/// A customer's agreement with a merchant, as a file last delivered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreementRow {
    pub merchant_id: String,
    pub customer_id: String,
    pub agreement: Agreement,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_line_carries_the_id_and_nothing_personal() {
        let customer = Customer {
            customer_id: "C1".into(),
            name: "王丽".into(),
            email: "c1@example.com".into(),
            locale: "zh".into(),
            time_zone: chrono_tz::Asia::Shanghai,
            credit_score: 700,
            real_name_verified: true,
            bank_card_bound: true,
        };
        assert_eq!(format!("{customer:?}"), "Customer { customer_id: \"C1\", .. }");
    }
}
