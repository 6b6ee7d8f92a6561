//! Agreements: a customer's opening of the service at a merchant, with what was known of it at any instant.

use chrono::{DateTime, Utc};

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

    /// When it was first opened, as far as is known.
    pub fn opened_at(&self) -> DateTime<Utc> {
        self.earlier.first().map_or(self.changed_at, |first| first.since)
    }

    /// What it said at an instant; none if it was not opened yet.
    pub fn at(&self, at: DateTime<Utc>) -> Option<AgreementState> {
        let now = self.now();
        let states = || self.earlier.iter().copied().chain([now]);
        // An agreement first seen closed was open before.
        let before_all =
            || states().next().filter(|first| !first.open).map(|first| AgreementState { open: true, ..first });
        states().rfind(|state| state.since <= at).or_else(before_all)
    }

    /// Adds a state, past or present; false if it is nothing new. The state with the latest instant counts, in whatever order
    /// they arrive; of two with the same instant, the one that arrives last.
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

#[cfg(test)]
pub mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// Days of March on which an agreement was opened (`+05`) or closed (`-07`), in the order in which it becomes known.
    pub fn agreement(id: &str, known: &str) -> Agreement {
        let mut states = known.split_whitespace().map(|text| AgreementState {
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
        // What becomes known, and whether the agreement is open on the 4th, 6th, 8th and 10th; `-` for not opened yet.
        for (known, expected) in [
            ("+05", "- open open open"),
            ("+05 -07", "- open closed closed"),
            ("-07 +05", "- open closed closed"),
            ("-07", "open open closed closed"),
            ("+03 -05 +07 -09", "open closed open closed"),
            ("-09 +07 -05 +03", "open closed open closed"),
            ("+07 +03 -05 -09", "open closed open closed"),
            // At one instant, the one that arrives last.
            ("+05 -05", "open closed closed closed"),
        ] {
            let agreement = agreement("A1", known);
            let found =
                ["04", "06", "08", "10"].map(|day| match agreement.at(at(&format!("2026-03-{day}T12:00:00Z"))) {
                    Some(state) if state.open => "open",
                    Some(_) => "closed",
                    None => "-",
                });
            assert_eq!(found.join(" "), expected, "{known}");
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
