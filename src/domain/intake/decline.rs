//! Why an order is declined, with the figures of the decision, and the one place that words the reasons. Merchants read
//! the words in their acknowledgements, so they name no person.

use std::fmt;

use chrono::{NaiveDate, NaiveDateTime};

use super::code::DeclineCode;
use crate::domain::money::Currency;
use crate::domain::words::count;

/// A reason to decline an order. Times are in the scheme's zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decline {
    Currency { order: Currency, policy: Currency },
    NoCustomer,
    NoAgreement { ordered_at: NaiveDateTime, opened_at: Option<NaiveDateTime> },
    AgreementClosed { ordered_at: NaiveDateTime, closed_at: NaiveDateTime },
    ScoreNotAuthorised { since: NaiveDateTime },
    NotVerified,
    NoBankCard,
    ScoreTooLow { score: i64, lowest: Option<i64> },
    AccountOverdue { days: i64, most: i64, on: NaiveDate },
    OverLimit(OverLimit),
}

/// The figures of a comparison with the limit of the score's band.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverLimit {
    pub limit_minor: i64,
    /// The lowest score of the band with this limit.
    pub from_score: i64,
    pub owed_minor: i64,
    pub amount_minor: i64,
    pub currency: Currency,
}

impl Decline {
    pub fn code(&self) -> DeclineCode {
        match self {
            Decline::Currency { .. } => DeclineCode::Currency,
            Decline::NoCustomer => DeclineCode::NoCustomer,
            Decline::NoAgreement { .. } => DeclineCode::NoAgreement,
            Decline::AgreementClosed { .. } => DeclineCode::AgreementClosed,
            Decline::ScoreNotAuthorised { .. } => DeclineCode::ScoreNotAuthorised,
            Decline::NotVerified => DeclineCode::NotVerified,
            Decline::NoBankCard => DeclineCode::NoBankCard,
            Decline::ScoreTooLow { .. } => DeclineCode::ScoreTooLow,
            Decline::AccountOverdue { .. } => DeclineCode::AccountOverdue,
            Decline::OverLimit(_) => DeclineCode::OverLimit,
        }
    }
}

/// The reason in words that a customer-service agent can read out.
impl fmt::Display for Decline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |at: NaiveDateTime| at.format("%Y-%m-%d %H:%M");
        match *self {
            Decline::Currency { order, policy } => {
                write!(f, "the order is in {order}, the merchant's policy takes {policy}")
            }
            Decline::NoCustomer => write!(f, "no customer with this id is known"),
            Decline::NoAgreement { opened_at: None, .. } => {
                write!(f, "the customer has not opened the service at this merchant")
            }
            Decline::NoAgreement { ordered_at, opened_at: Some(opened_at) } => {
                let (ordered_at, opened_at) = (time(ordered_at), time(opened_at));
                write!(
                    f,
                    "ordered on {ordered_at}, but the customer opened the service at this merchant on {opened_at}"
                )
            }
            Decline::AgreementClosed { ordered_at, closed_at } => {
                let (ordered_at, closed_at) = (time(ordered_at), time(closed_at));
                write!(
                    f,
                    "ordered on {ordered_at}, but the customer had closed the service at this merchant on {closed_at}"
                )
            }
            Decline::ScoreNotAuthorised { since } => {
                write!(f, "the customer's agreement of {} does not let the score be queried", time(since))
            }
            Decline::NotVerified => write!(f, "the customer's real name is not verified"),
            Decline::NoBankCard => write!(f, "the customer has bound no bank card"),
            Decline::ScoreTooLow { score, lowest: Some(lowest) } => {
                write!(f, "the customer's score is {score}; the policy's lowest band begins at {lowest}")
            }
            Decline::ScoreTooLow { score, lowest: None } => {
                write!(f, "the customer's score is {score}; the policy has no band")
            }
            Decline::AccountOverdue { days, most, on } => {
                let days = count(days, "day");
                write!(
                    f,
                    "the customer was {days} past due at this merchant at the end of {on}; the policy allows at most {most}"
                )
            }
            Decline::OverLimit(OverLimit { limit_minor, from_score, owed_minor, amount_minor, currency }) => {
                let amount = |minor| format!("{} {currency}", currency.plain(minor));
                let (limit, owed, asked) = (amount(limit_minor), amount(owed_minor), amount(amount_minor));
                let left = amount((limit_minor - owed_minor).max(0));
                write!(
                    f,
                    "limit {limit} from score {from_score}, owed {owed}, asked for {asked}: {left} of the limit is left"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap()
    }

    #[test]
    fn every_reason_names_its_figures() {
        let currency = |code| Currency::parse(code).unwrap();
        let (cny, jpy) = (currency("CNY"), currency("JPY"));
        let ordered_at = at("2026-03-10 12:00");
        let over = |limit_minor, owed_minor, amount_minor, currency| {
            Decline::OverLimit(OverLimit { limit_minor, from_score: 650, owed_minor, amount_minor, currency })
        };
        let reasons = [
            Decline::Currency { order: jpy, policy: cny },
            Decline::NoCustomer,
            Decline::NoAgreement { ordered_at, opened_at: None },
            Decline::NoAgreement { ordered_at, opened_at: Some(at("2026-03-10 12:01")) },
            Decline::AgreementClosed { ordered_at, closed_at: at("2026-03-09 08:30") },
            Decline::ScoreNotAuthorised { since: at("2026-03-01 00:00") },
            Decline::NotVerified,
            Decline::NoBankCard,
            Decline::ScoreTooLow { score: 549, lowest: Some(550) },
            Decline::ScoreTooLow { score: 549, lowest: None },
            Decline::AccountOverdue { days: 1, most: 0, on: at("2026-03-09 00:00").date() },
            Decline::AccountOverdue { days: 6, most: 5, on: at("2026-03-09 00:00").date() },
            over(200_000, 190_001, 10_000, cny),
            // The limit was higher when the other orders were accepted.
            over(200_000, 250_000, 10_000, cny),
            over(2_000, 1_500, 501, jpy),
        ];
        let lines: Vec<String> = reasons.iter().map(|reason| format!("{}: {reason}", reason.code())).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        CURRENCY: the order is in JPY, the merchant's policy takes CNY
        NO_CUSTOMER: no customer with this id is known
        NO_AGREEMENT: the customer has not opened the service at this merchant
        NO_AGREEMENT: ordered on 2026-03-10 12:00, but the customer opened the service at this merchant on 2026-03-10 12:01
        AGREEMENT_CLOSED: ordered on 2026-03-10 12:00, but the customer had closed the service at this merchant on 2026-03-09 08:30
        SCORE_NOT_AUTHORISED: the customer's agreement of 2026-03-01 00:00 does not let the score be queried
        NOT_VERIFIED: the customer's real name is not verified
        NO_BANK_CARD: the customer has bound no bank card
        SCORE_TOO_LOW: the customer's score is 549; the policy's lowest band begins at 550
        SCORE_TOO_LOW: the customer's score is 549; the policy has no band
        ACCOUNT_OVERDUE: the customer was 1 day past due at this merchant at the end of 2026-03-09; the policy allows at most 0
        ACCOUNT_OVERDUE: the customer was 6 days past due at this merchant at the end of 2026-03-09; the policy allows at most 5
        OVER_LIMIT: limit 2000.00 CNY from score 650, owed 1900.01 CNY, asked for 100.00 CNY: 99.99 CNY of the limit is left
        OVER_LIMIT: limit 2000.00 CNY from score 650, owed 2500.00 CNY, asked for 100.00 CNY: 0.00 CNY of the limit is left
        OVER_LIMIT: limit 2000 JPY from score 650, owed 1500 JPY, asked for 501 JPY: 500 JPY of the limit is left
        ");
    }
}
