//! Whether an order is taken. Of all reasons to decline, the first that applies is given.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use super::calendar::{days_between, plus};
use super::decline::{Decline, OverLimit};
use super::money::Currency;
use super::policy::{Band, Terms};

/// What the decision needs to know of a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applicant {
    pub credit_score: i64,
    pub real_name_verified: bool,
    pub bank_card_bound: bool,
}

/// The customer's agreement with the merchant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    pub agreement_id: String,
    pub open: bool,
    /// When its status last changed.
    pub changed_at: DateTime<Utc>,
    pub score_authorised: bool,
    /// What it said before, oldest first.
    pub earlier: Vec<AgreementState>,
}

/// What an agreement says from an instant on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgreementState {
    pub since: DateTime<Utc>,
    pub open: bool,
    pub score_authorised: bool,
}

impl Agreement {
    /// What it says last.
    pub fn now(&self) -> AgreementState {
        AgreementState { since: self.changed_at, open: self.open, score_authorised: self.score_authorised }
    }

    /// When it was opened first, as far as it was seen open.
    fn opened_at(&self) -> DateTime<Utc> {
        self.earlier.first().map_or(self.changed_at, |first| first.since)
    }

    /// What it said at an instant; none if it was not opened yet.
    pub fn at(&self, at: DateTime<Utc>) -> Option<AgreementState> {
        let now = self.now();
        let states = || self.earlier.iter().copied().chain([now]);
        // What was closed without ever being seen open was open before.
        let before_all =
            || states().next().filter(|first| !first.open).map(|first| AgreementState { open: true, ..first });
        states().rfind(|state| state.since <= at).or_else(before_all)
    }

    /// Takes note of what it said, or says from now on; false if that is nothing new. The latest instant counts, in whatever
    /// order the states come; of two at one instant, the one that comes last.
    pub fn learn(&mut self, state: AgreementState) -> bool {
        if state == self.now() || self.earlier.contains(&state) {
            return false;
        }
        let mut states = std::mem::take(&mut self.earlier);
        states.push(self.now());
        states.retain(|known| known.since != state.since);
        let place = states.partition_point(|known| known.since < state.since);
        states.insert(place, state);
        if let Some(last) = states.pop() {
            (self.changed_at, self.open, self.score_authorised) = (last.since, last.open, last.score_authorised);
        }
        self.earlier = states;
        true
    }
}

/// Of a customer's agreements with a merchant, the one that counts for an order placed at an instant: one that was open
/// then before one that was closed, then the one changed last. One that was opened later does not count.
pub fn agreement_for(agreements: &[Agreement], at: DateTime<Utc>) -> Option<(&Agreement, AgreementState)> {
    let opened = agreements.iter().filter_map(|agreement| Some((agreement, agreement.at(at)?)));
    opened.max_by(|(a, then_a), (b, then_b)| {
        let rank = |agreement: &Agreement, then: &AgreementState| (then.open, agreement.open, agreement.changed_at);
        rank(a, then_a).cmp(&rank(b, then_b)).then_with(|| a.agreement_id.cmp(&b.agreement_id))
    })
}

/// What the customer owes this merchant already, as the day opened, with the orders accepted since. So the answer to an
/// order does not depend on which jobs ran, or which files came, earlier in the day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exposure {
    /// Principal, in minor units.
    pub minor: i64,
    /// The day that the customer's days past due count from; of several instalments the earliest.
    pub past_due_from: Option<NaiveDate>,
}

/// An order as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    pub amount_minor: i64,
    pub currency: Currency,
    pub ordered_at: DateTime<Utc>,
    /// The business date it is decided on.
    pub today: NaiveDate,
    /// The scheme's.
    pub zone: Tz,
}

/// The band that the order is taken on, or why it is declined. `agreements`: the customer's with the merchant.
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
    use crate::domain::policy::tests::terms;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// A sound order, changed in one or two ways by `change`, must end in `expect`.
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
        assert_eq!(found.map(|band| band.term).map_err(|decline| decline.code()), expect);
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
        // Five days past due at the end of the day before are allowed, six freeze.
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
        let code = |applicant| decide(&request, applicant, &[], Exposure::default(), &terms).unwrap_err().code();
        assert_eq!(code(None), "NO_CUSTOMER");
        let applicant = Applicant { credit_score: 0, real_name_verified: false, bank_card_bound: false };
        assert_eq!(code(Some(&applicant)), "NO_AGREEMENT");
    }

    /// Days of March on which an agreement was opened (`+05`) or closed (`-07`), in the order in which we hear of it.
    fn agreement(id: &str, heard: &str) -> Agreement {
        let mut states = heard.split_whitespace().map(|text| AgreementState {
            since: at(&format!("2026-03-{}T00:00:00Z", &text[1..])),
            open: text.starts_with('+'),
            score_authorised: true,
        });
        let AgreementState { since, open, score_authorised } = states.next().unwrap();
        let agreement_id = id.to_owned();
        let mut agreement = Agreement { agreement_id, open, changed_at: since, score_authorised, earlier: Vec::new() };
        states.for_each(|state| assert!(agreement.learn(state)));
        agreement
    }

    #[test]
    fn the_latest_change_counts_in_whatever_order_they_come() {
        // What is heard of it, and whether it is open on the 4th, 6th, 8th and 10th; `-` for not opened yet.
        for (heard, expected) in [
            ("+05", "- open open open"),
            ("+05 -07", "- open closed closed"),
            ("-07 +05", "- open closed closed"),
            ("-07", "open open closed closed"),
            ("+03 -05 +07 -09", "open closed open closed"),
            ("-09 +07 -05 +03", "open closed open closed"),
            ("+07 +03 -05 -09", "open closed open closed"),
            // At one instant, what is heard last.
            ("+05 -05", "open closed closed closed"),
        ] {
            let agreement = agreement("A1", heard);
            let found =
                ["04", "06", "08", "10"].map(|day| match agreement.at(at(&format!("2026-03-{day}T12:00:00Z"))) {
                    Some(state) if state.open => "open",
                    Some(_) => "closed",
                    None => "-",
                });
            assert_eq!(found.join(" "), expected, "{heard}");
        }
        let mut known = agreement("A1", "+03 -05");
        let again = known.earlier[0];
        assert!(!known.learn(again) && !known.learn(known.now()), "the same again is nothing new");
    }

    #[test]
    fn the_agreement_that_was_open_at_the_order_counts() {
        let all = [agreement("A1", "+01 -05"), agreement("A2", "+08"), agreement("A3", "+06 -07")];
        for (day, expected) in [("04", "A1 true"), ("06", "A3 true"), ("07", "A3 false"), ("09", "A2 true")] {
            let found = agreement_for(&all, at(&format!("2026-03-{day}T12:00:00Z")));
            let found = found.map(|(agreement, state)| format!("{} {}", agreement.agreement_id, state.open));
            assert_eq!(found.as_deref(), Some(expected), "{day}");
        }
        assert!(agreement_for(&all[1..], at("2026-03-04T12:00:00Z")).is_none());
    }
}
