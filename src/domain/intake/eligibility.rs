//! Whether an order is accepted. If several reasons to decline apply, the first is reported.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use super::decline::{Decline, OverLimit};
use crate::domain::calendar::{days_between, plus};
use crate::domain::facts::agreement::{Agreement, agreement_for};
use crate::domain::money::Currency;
use crate::domain::terms::policy::{Band, Terms};

/// The customer data that the decision depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applicant {
    pub credit_score: i64,
    pub real_name_verified: bool,
    pub bank_card_bound: bool,
}

/// What the customer already owes this merchant: the state when the day opened, plus the orders accepted since. So the
/// decision on an order does not depend on which jobs ran, or which files arrived, earlier in the day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exposure {
    /// Principal, in minor units.
    pub minor: i64,
    /// The day from which the customer's days past due count; for several instalments, the earliest.
    pub past_due_from: Option<NaiveDate>,
}

/// A requested order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    pub amount_minor: i64,
    pub currency: Currency,
    pub ordered_at: DateTime<Utc>,
    /// The business date of the decision.
    pub today: NaiveDate,
    /// The scheme's zone.
    pub zone: Tz,
}

/// Returns the band on which the order is accepted, or why it is declined. `agreements` are the customer's agreements
/// with the merchant.
pub fn decide<'t>(
    request: &Request,
    applicant: Option<&Applicant>,
    agreements: &[Agreement],
    exposure: Exposure,
    terms: &'t Terms,
) -> Result<&'t Band, Decline> {
    let Request { amount_minor, currency, ordered_at, today, zone } = *request;
    let local = |at: DateTime<Utc>| at.with_timezone(&zone).naive_local();
    if currency != terms.currency {
        return Err(Decline::Currency { order: currency, policy: terms.currency });
    }
    let applicant = applicant.ok_or(Decline::NoCustomer)?;
    let Some((_, agreement)) = agreement_for(agreements, ordered_at) else {
        let opened_at = agreements.iter().map(Agreement::opened_at).min().map(local);
        return Err(Decline::NoAgreement { ordered_at: local(ordered_at), opened_at });
    };
    if !agreement.open {
        return Err(Decline::AgreementClosed { ordered_at: local(ordered_at), closed_at: local(agreement.since) });
    }
    if !agreement.score_authorised {
        return Err(Decline::ScoreNotAuthorised { since: local(agreement.since) });
    }
    if !applicant.real_name_verified {
        return Err(Decline::NotVerified);
    }
    if !applicant.bank_card_bound {
        return Err(Decline::NoBankCard);
    }
    let score = applicant.credit_score;
    let lowest = terms.bands.first().map(|band| band.score);
    let band = terms.band(score).ok_or(Decline::ScoreTooLow { score, lowest })?;
    let yesterday = plus(today, -1);
    let days = exposure.past_due_from.map_or(0, |from| days_between(from, yesterday));
    if let Some(most) = terms.freeze_when_overdue.filter(|most| days > *most) {
        return Err(Decline::AccountOverdue { days, most, on: yesterday });
    }
    let &Band { limit_minor, score: from_score, .. } = band;
    if exposure.minor + amount_minor > limit_minor {
        let owed_minor = exposure.minor;
        return Err(Decline::OverLimit(OverLimit { limit_minor, from_score, owed_minor, amount_minor, currency }));
    }
    Ok(band)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::facts::agreement::Agreement;
    use crate::domain::facts::agreement::tests::agreement;
    use crate::domain::terms::policy::tests::terms;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// Changes a valid order in one or two ways with `change`, and expects `expect`.
    fn check(
        change: impl FnOnce(&mut Request, &mut Applicant, &mut Agreement, &mut Exposure),
        expect: Result<i64, &str>,
    ) {
        let mut request = Request {
            amount_minor: 10_000,
            currency: Currency::parse("CNY").unwrap(),
            ordered_at: at("2026-03-10T04:00:00Z"),
            today: "2026-03-10".parse().unwrap(),
            zone: chrono_tz::Asia::Shanghai,
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
        let found = decide(&request, Some(&applicant), &[agreement], exposure, &terms);
        assert_eq!(found.map(|band| band.term).map_err(|decline| decline.code().name()), expect);
    }

    #[test]
    fn every_reason_and_its_edge() {
        check(|_, _, _, _| (), Ok(14));
        check(|_, applicant, _, _| applicant.credit_score = 650, Ok(14));
        check(|_, applicant, _, _| applicant.credit_score = 649, Ok(7));
        check(|_, applicant, _, _| applicant.credit_score = 549, Err("SCORE_TOO_LOW"));
        check(|request, _, _, _| request.currency = Currency::parse("USD").unwrap(), Err("CURRENCY"));
        check(|_, applicant, _, _| applicant.real_name_verified = false, Err("NOT_VERIFIED"));
        check(|_, applicant, _, _| applicant.bank_card_bound = false, Err("NO_BANK_CARD"));
        check(|_, _, agreement, _| agreement.score_authorised = false, Err("SCORE_NOT_AUTHORISED"));
        check(|_, _, agreement, _| agreement.open = false, Err("AGREEMENT_CLOSED"));
        // Closed after the order was placed.
        let later = at("2026-03-10T05:00:00Z");
        check(|_, _, agreement, _| (agreement.open, agreement.changed_at) = (false, later), Ok(14));
        check(|_, _, _, exposure| exposure.minor = 190_000, Ok(14));
        check(|_, _, _, exposure| exposure.minor = 190_001, Err("OVER_LIMIT"));
        // Five days past due at the end of the day before are allowed; six freeze the account.
        check(|_, _, _, exposure| exposure.past_due_from = "2026-03-04".parse().ok(), Ok(14));
        check(|_, _, _, exposure| exposure.past_due_from = "2026-03-03".parse().ok(), Err("ACCOUNT_OVERDUE"));
    }

    #[test]
    fn the_figures_are_those_of_the_decision() {
        let reason = |change: fn(&mut Request, &mut Applicant, &mut Vec<Agreement>, &mut Exposure)| {
            let mut request = Request {
                amount_minor: 20_000,
                currency: Currency::parse("CNY").unwrap(),
                ordered_at: at("2026-03-10T04:00:00Z"),
                today: "2026-03-10".parse().unwrap(),
                zone: chrono_tz::Asia::Shanghai,
            };
            let mut applicant = Applicant { credit_score: 600, real_name_verified: true, bank_card_bound: true };
            let (mut agreements, mut exposure) = (vec![agreement("A1", "+01")], Exposure::default());
            change(&mut request, &mut applicant, &mut agreements, &mut exposure);
            decide(&request, Some(&applicant), &agreements, exposure, &terms()).unwrap_err().to_string()
        };
        let reasons = [
            reason(|request, _, _, _| request.currency = Currency::parse("USD").unwrap()),
            reason(|_, _, agreements, _| agreements.clear()),
            reason(|_, _, agreements, _| *agreements = vec![agreement("A1", "+13 -15"), agreement("A2", "+12")]),
            reason(|_, _, agreements, _| *agreements = vec![agreement("A1", "+01 -07")]),
            reason(|_, _, agreements, _| agreements[0].score_authorised = false),
            reason(|_, applicant, _, _| applicant.credit_score = 549),
            reason(|_, _, _, exposure| exposure.past_due_from = "2026-03-03".parse().ok()),
            reason(|_, _, _, exposure| exposure.minor = 30_001),
            reason(|_, _, _, exposure| exposure.minor = 60_000),
        ];
        insta::assert_snapshot!(reasons.join("\n"), @r"
        the order is in USD, the merchant's policy takes CNY
        the customer has not opened the service at this merchant
        ordered on 2026-03-10 12:00, but the customer opened the service at this merchant on 2026-03-12 08:00
        ordered on 2026-03-10 12:00, but the customer had closed the service at this merchant on 2026-03-07 08:00
        the customer's agreement of 2026-03-01 08:00 does not let the score be queried
        the customer's score is 549; the policy's lowest band begins at 550
        the customer was 6 days past due at this merchant at the end of 2026-03-09; the policy allows at most 5
        limit 500.00 CNY from score 550, owed 300.01 CNY, asked for 200.00 CNY: 199.99 CNY of the limit is left
        limit 500.00 CNY from score 550, owed 600.00 CNY, asked for 200.00 CNY: 0.00 CNY of the limit is left
        ");
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
            Err("CURRENCY"),
        );
        check(
            |_, applicant, agreement, exposure| {
                (agreement.open, agreement.score_authorised) = (false, false);
                (applicant.real_name_verified, applicant.bank_card_bound, applicant.credit_score) = (false, false, 0);
                exposure.minor = 1_000_000;
            },
            Err("AGREEMENT_CLOSED"),
        );
        let request = Request {
            amount_minor: 1,
            currency: Currency::parse("CNY").unwrap(),
            ordered_at: at("2026-03-10T04:00:00Z"),
            today: "2026-03-10".parse().unwrap(),
            zone: chrono_tz::Asia::Shanghai,
        };
        let terms = terms();
        let code = |applicant| decide(&request, applicant, &[], Exposure::default(), &terms).unwrap_err().code().name();
        assert_eq!(code(None), "NO_CUSTOMER");
        let applicant = Applicant { credit_score: 0, real_name_verified: false, bank_card_bound: false };
        assert_eq!(code(Some(&applicant)), "NO_AGREEMENT");
    }
}
