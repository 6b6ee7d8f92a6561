//! Whether an order is accepted. Of all reasons to decline, the first that applies is given.

use chrono::{DateTime, NaiveDate, Utc};

use crate::domain::calendar::{days_between, plus};
use crate::domain::facts::agreement::AgreementState;
use crate::domain::money::Currency;
use crate::domain::terms::policy::{Band, Terms};

/// What the decision needs to know of a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applicant {
    pub credit_score: i64,
    pub real_name_verified: bool,
    pub bank_card_bound: bool,
}

/// What the customer owes this merchant already: as the day opened, with the orders accepted since. So the answer to an
/// order does not depend on which jobs ran, or which files arrived, earlier in the day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exposure {
    /// Principal, in minor units.
    pub minor: i64,
    /// The day that the customer's days past due count from; of several instalments the earliest.
    pub past_due_from: Option<NaiveDate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decline {
    Currency,
    NoCustomer,
    NoAgreement,
    AgreementClosed,
    ScoreNotAuthorised,
    NotVerified,
    NoBankCard,
    ScoreTooLow,
    AccountOverdue,
    OverLimit,
}

impl Decline {
    pub const ALL: [Decline; 10] = [
        Decline::Currency,
        Decline::NoCustomer,
        Decline::NoAgreement,
        Decline::AgreementClosed,
        Decline::ScoreNotAuthorised,
        Decline::NotVerified,
        Decline::NoBankCard,
        Decline::ScoreTooLow,
        Decline::AccountOverdue,
        Decline::OverLimit,
    ];

    /// The reason of a code, as the store keeps it.
    pub fn parse(code: &str) -> Option<Decline> {
        Decline::ALL.into_iter().find(|decline| decline.code() == code)
    }

    pub fn code(self) -> &'static str {
        match self {
            Decline::Currency => "CURRENCY",
            Decline::NoCustomer => "NO_CUSTOMER",
            Decline::NoAgreement => "NO_AGREEMENT",
            Decline::AgreementClosed => "AGREEMENT_CLOSED",
            Decline::ScoreNotAuthorised => "SCORE_NOT_AUTHORISED",
            Decline::NotVerified => "NOT_VERIFIED",
            Decline::NoBankCard => "NO_BANK_CARD",
            Decline::ScoreTooLow => "SCORE_TOO_LOW",
            Decline::AccountOverdue => "ACCOUNT_OVERDUE",
            Decline::OverLimit => "OVER_LIMIT",
        }
    }

    /// The reason in words that a customer-service person can read out.
    pub fn words(self) -> &'static str {
        match self {
            Decline::Currency => "the order is not in the policy's currency",
            Decline::NoCustomer => "no customer with this id is known",
            Decline::NoAgreement => "the customer has not opened the service at this merchant",
            Decline::AgreementClosed => "the customer had closed the service at this merchant",
            Decline::ScoreNotAuthorised => "the customer has not authorised the score to be queried",
            Decline::NotVerified => "the customer's real name is not verified",
            Decline::NoBankCard => "the customer has bound no bank card",
            Decline::ScoreTooLow => "the customer's score is below the policy's lowest band",
            Decline::AccountOverdue => "the customer is overdue at this merchant for longer than the policy allows",
            Decline::OverLimit => "with this order the customer would owe more than the limit of their score band",
        }
    }
}

/// An order as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    pub amount_minor: i64,
    pub currency: Currency,
    pub ordered_at: DateTime<Utc>,
    /// The business date it is decided on.
    pub today: NaiveDate,
}

/// The band that the order is taken on, or why it is declined. `agreement`: what it said when the order was placed.
pub fn decide<'t>(
    request: &Request,
    applicant: Option<&Applicant>,
    agreement: Option<AgreementState>,
    exposure: Exposure,
    terms: &'t Terms,
) -> Result<&'t Band, Decline> {
    if request.currency != terms.currency {
        return Err(Decline::Currency);
    }
    let applicant = applicant.ok_or(Decline::NoCustomer)?;
    let agreement = agreement.ok_or(Decline::NoAgreement)?;
    if !agreement.open {
        return Err(Decline::AgreementClosed);
    }
    if !agreement.score_authorised {
        return Err(Decline::ScoreNotAuthorised);
    }
    if !applicant.real_name_verified {
        return Err(Decline::NotVerified);
    }
    if !applicant.bank_card_bound {
        return Err(Decline::NoBankCard);
    }
    let band = terms.band(applicant.credit_score).ok_or(Decline::ScoreTooLow)?;
    let yesterday = plus(request.today, -1);
    let past_due = exposure.past_due_from.map_or(0, |from| days_between(from, yesterday));
    if terms.freeze_when_overdue.is_some_and(|days| past_due > days) {
        return Err(Decline::AccountOverdue);
    }
    if exposure.minor + request.amount_minor > band.limit_minor {
        return Err(Decline::OverLimit);
    }
    Ok(band)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::facts::agreement::Agreement;
    use crate::domain::terms::policy::tests::terms;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// A sound order, changed in one or two ways by `change`, must end in `expect`.
    fn check(
        change: impl FnOnce(&mut Request, &mut Applicant, &mut Agreement, &mut Exposure),
        expect: Result<i64, Decline>,
    ) {
        let mut request = Request {
            amount_minor: 10_000,
            currency: Currency::parse("CNY").unwrap(),
            ordered_at: at("2026-03-10T04:00:00Z"),
            today: "2026-03-10".parse().unwrap(),
        };
        let mut applicant = Applicant { credit_score: 700, real_name_verified: true, bank_card_bound: true };
        let mut agreement = Agreement {
            agreement_id: "A1".into(),
            open: true,
            changed_at: at("2026-01-01T00:00:00Z"),
            score_authorised: true,
            earlier: Vec::new(),
        };
        let mut exposure = Exposure::default();
        change(&mut request, &mut applicant, &mut agreement, &mut exposure);
        let terms = terms();
        let found = decide(&request, Some(&applicant), agreement.at(request.ordered_at), exposure, &terms);
        assert_eq!(found.map(|band| band.term), expect);
    }

    #[test]
    fn every_reason_and_its_edge() {
        check(|_, _, _, _| (), Ok(14));
        check(|_, applicant, _, _| applicant.credit_score = 650, Ok(14));
        check(|_, applicant, _, _| applicant.credit_score = 649, Ok(7));
        check(|_, applicant, _, _| applicant.credit_score = 549, Err(Decline::ScoreTooLow));
        check(|request, _, _, _| request.currency = Currency::parse("USD").unwrap(), Err(Decline::Currency));
        check(|_, applicant, _, _| applicant.real_name_verified = false, Err(Decline::NotVerified));
        check(|_, applicant, _, _| applicant.bank_card_bound = false, Err(Decline::NoBankCard));
        check(|_, _, agreement, _| agreement.score_authorised = false, Err(Decline::ScoreNotAuthorised));
        check(|_, _, agreement, _| agreement.open = false, Err(Decline::AgreementClosed));
        // Closed after the order was placed.
        let later = at("2026-03-10T05:00:00Z");
        check(|_, _, agreement, _| (agreement.open, agreement.changed_at) = (false, later), Ok(14));
        check(|_, _, _, exposure| exposure.minor = 190_000, Ok(14));
        check(|_, _, _, exposure| exposure.minor = 190_001, Err(Decline::OverLimit));
        // Five days past due at the end of the day before are allowed, six freeze.
        check(|_, _, _, exposure| exposure.past_due_from = "2026-03-04".parse().ok(), Ok(14));
        check(|_, _, _, exposure| exposure.past_due_from = "2026-03-03".parse().ok(), Err(Decline::AccountOverdue));
    }

    #[test]
    fn every_reason_has_words_of_its_own() {
        let words: std::collections::BTreeSet<&str> = Decline::ALL.into_iter().map(Decline::words).collect();
        assert_eq!(words.len(), Decline::ALL.len());
        assert_eq!(Decline::NoBankCard.words(), "the customer has bound no bank card");
    }

    #[test]
    fn the_first_reason_that_applies_is_given() {
        check(
            |request, applicant, agreement, exposure| {
                request.currency = Currency::parse("USD").unwrap();
                applicant.real_name_verified = false;
                agreement.open = false;
                exposure.minor = 1_000_000;
            },
            Err(Decline::Currency),
        );
        check(
            |_, applicant, agreement, exposure| {
                (agreement.open, agreement.score_authorised) = (false, false);
                (applicant.real_name_verified, applicant.bank_card_bound, applicant.credit_score) = (false, false, 0);
                exposure.minor = 1_000_000;
            },
            Err(Decline::AgreementClosed),
        );
        let request = Request {
            amount_minor: 1,
            currency: Currency::parse("CNY").unwrap(),
            ordered_at: at("2026-03-10T04:00:00Z"),
            today: "2026-03-10".parse().unwrap(),
        };
        let terms = terms();
        let none = decide(&request, None, None, Exposure::default(), &terms);
        assert_eq!(none, Err(Decline::NoCustomer));
        let applicant = Applicant { credit_score: 0, real_name_verified: false, bank_card_bound: false };
        let no_agreement = decide(&request, Some(&applicant), None, Exposure::default(), &terms);
        assert_eq!(no_agreement, Err(Decline::NoAgreement));
    }
}
