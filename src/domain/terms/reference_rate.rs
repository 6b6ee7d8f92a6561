//! Reference rates: rates that a central bank or a law publishes, each in force from a day on, such as China's one-year
//! loan prime rate. The figures are configuration; none is built in.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::domain::calendar::{days_between, plus};

/// Yearly rates, each with the first day on which it is in force. There is at least one, and the days ascend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateTable(Vec<(NaiveDate, Decimal)>);

impl RateTable {
    /// Creates a table; `None` if there are no entries. If two entries share a day, the later one counts.
    pub fn new(entries: impl IntoIterator<Item = (NaiveDate, Decimal)>) -> Option<RateTable> {
        let by_day: std::collections::BTreeMap<_, _> = entries.into_iter().collect();
        (!by_day.is_empty()).then(|| RateTable(by_day.into_iter().collect()))
    }

    pub fn entries(&self) -> &[(NaiveDate, Decimal)] {
        &self.0
    }

    /// The first day for which a rate is known.
    pub fn starts_on(&self) -> NaiveDate {
        self.0[0].0
    }

    /// The rate in force on a day. Before the first entry, which loading refuses, it is the first rate.
    pub fn on(&self, day: NaiveDate) -> Decimal {
        self.0[self.place(day)].1
    }

    /// The sum of each day's rate over the days d with after < d ≤ upto, computed change by change instead of day by
    /// day.
    pub fn sum(&self, after: NaiveDate, upto: NaiveDate) -> Decimal {
        let mut sum = Decimal::ZERO;
        let mut after = after;
        let mut place = self.place(plus(after, 1));
        while after < upto {
            let until = self.0.get(place + 1).map_or(upto, |(next, _)| plus(*next, -1).min(upto));
            sum += self.0[place].1 * Decimal::from(days_between(after, until));
            after = until;
            place += 1;
        }
        sum
    }

    fn place(&self, day: NaiveDate) -> usize {
        self.0.partition_point(|(from, _)| *from <= day).saturating_sub(1)
    }
}

/// A yearly rate in a cap or a law.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnnualRate {
    Fixed(Decimal),
    Reference(ReferenceRate),
}

/// A multiple of a reference rate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferenceRate {
    pub name: String,
    pub times: Decimal,
    pub of: RateOf,
    pub table: RateTable,
}

/// Which day's reference rate counts for a day past due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RateOf {
    /// That day's own.
    EachDay,
    /// The one in force when the order was placed, for good.
    OrderDay,
}

impl AnnualRate {
    /// The sum of each day's rate over the days d with after < d ≤ upto, for an order placed on `ordered_on`.
    pub fn sum(&self, ordered_on: NaiveDate, after: NaiveDate, upto: NaiveDate) -> Decimal {
        let days = || Decimal::from(days_between(after, upto).max(0));
        match self {
            AnnualRate::Fixed(rate) => rate * days(),
            AnnualRate::Reference(reference) => match reference.of {
                RateOf::EachDay => reference.times * reference.table.sum(after, upto),
                RateOf::OrderDay => reference.on(ordered_on) * days(),
            },
        }
    }

    /// The rate in force on a day.
    pub fn on(&self, day: NaiveDate) -> Decimal {
        match self {
            AnnualRate::Fixed(rate) => *rate,
            AnnualRate::Reference(reference) => reference.on(day),
        }
    }

    /// Whether a rate published later can change the rate of days after its publication.
    pub fn may_change(&self) -> bool {
        matches!(self, AnnualRate::Reference(reference) if reference.of == RateOf::EachDay)
    }
}

impl ReferenceRate {
    fn on(&self, day: NaiveDate) -> Decimal {
        self.times * self.table.on(day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        format!("2026-{text}").parse().unwrap()
    }

    /// Three per cent; two from the 10th, and one from the 11th.
    fn table() -> RateTable {
        let entries = [("03-10", 2), ("03-01", 3), ("03-11", 1)];
        RateTable::new(entries.map(|(from, percent)| (day(from), Decimal::new(percent, 2)))).unwrap()
    }

    #[test]
    fn a_rate_holds_until_the_next() {
        assert_eq!(RateTable::new([]), None);
        assert_eq!(table().starts_on(), day("03-01"));
        let listed: Vec<_> = table().entries().iter().map(|(from, _)| *from).collect();
        assert_eq!(listed, ["03-01", "03-10", "03-11"].map(day));
        for (on, percent) in [("03-01", 3), ("03-09", 3), ("03-10", 2), ("03-11", 1), ("12-31", 1), ("02-01", 3)] {
            assert_eq!(table().on(day(on)), Decimal::new(percent, 2), "{on}");
        }
    }

    #[test]
    fn a_sum_over_days_is_each_days_rate_added_up() {
        for (after, upto, percent) in [
            ("03-09", "03-09", 0),
            ("03-09", "03-08", 0),
            ("03-05", "03-08", 9),
            ("03-08", "03-10", 5),
            ("03-09", "03-13", 5),
            ("03-10", "03-12", 2),
            ("02-26", "03-02", 12),
            ("03-01", "03-31", 8 * 3 + 2 + 21),
        ] {
            assert_eq!(table().sum(day(after), day(upto)), Decimal::new(percent, 2), "({after}, {upto}]");
        }
    }

    #[test]
    fn the_rate_of_the_order_day_stays() {
        let of = |of| {
            let reference = ReferenceRate { name: "bank".into(), times: Decimal::from(4), of, table: table() };
            AnnualRate::Reference(reference).sum(day("03-02"), day("03-08"), day("03-11"))
        };
        assert_eq!(of(RateOf::EachDay), Decimal::new(4 * 6, 2));
        assert_eq!(of(RateOf::OrderDay), Decimal::new(4 * 9, 2));
        let reference =
            ReferenceRate { name: "bank".into(), times: Decimal::from(4), of: RateOf::EachDay, table: table() };
        assert_eq!(AnnualRate::Reference(reference).on(day("03-10")), Decimal::new(8, 2));
        assert_eq!(AnnualRate::Fixed(Decimal::new(9, 2)).on(day("03-10")), Decimal::new(9, 2));
        assert_eq!(
            AnnualRate::Fixed(Decimal::new(9, 2)).sum(day("03-02"), day("03-08"), day("03-11")),
            Decimal::new(27, 2)
        );
    }
}
