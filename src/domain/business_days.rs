//! Calendars: which days are off, and where a due date goes that falls on one.
//!
//! A calendar knows its years. Asked about a day of another year it answers [`NoYear`]; it never treats an unknown year as a
//! year without holidays. `config` reads calendars from files.

use chrono::{Datelike, NaiveDate, Weekday};
use schemars::JsonSchema;
use serde::Deserialize;

use super::calendar::plus;

/// Days off by the week, and the days of each year that are otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    pub name: String,
    /// At most six: something must be left to move a due date to.
    pub weekly_off: Vec<Weekday>,
    /// Ascending. Empty: the week is all there is to know, and it holds for every year.
    pub years: Vec<i32>,
    /// Ascending by day; each is in one of the years.
    pub special: Vec<Special>,
}

/// A day that is not as its weekday says, or is off for a reason of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Special {
    pub day: NaiveDate,
    /// False: a day off by the week on which people work, as they do in China to make up for a holiday.
    pub off: bool,
    /// The holiday.
    pub name: String,
}

/// A calendar was asked about a year it has no days of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("calendar {calendar} does not know {year}; it covers {}", years_in_words(.years))]
pub struct NoYear {
    pub calendar: String,
    pub year: i32,
    pub years: Vec<i32>,
}

impl Calendar {
    pub fn is_off(&self, day: NaiveDate) -> Result<bool, NoYear> {
        Ok(match self.special_on(day)? {
            Some(special) => special.off,
            None => self.weekly_off.contains(&day.weekday()),
        })
    }

    /// Why a day is off: the holiday's name, or the weekday.
    pub fn why_off(&self, day: NaiveDate) -> Result<Option<String>, NoYear> {
        let why = match self.special_on(day)? {
            Some(special) => special.name.clone(),
            None => day.format("%A").to_string(),
        };
        Ok(self.is_off(day)?.then_some(why))
    }

    fn special_on(&self, day: NaiveDate) -> Result<Option<&Special>, NoYear> {
        if !self.years.is_empty() && !self.years.contains(&day.year()) {
            return Err(NoYear { calendar: self.name.clone(), year: day.year(), years: self.years.clone() });
        }
        Ok(self.special.binary_search_by_key(&day, |special| special.day).ok().map(|at| &self.special[at]))
    }
}

/// Years as people list them: 2024 to 2026, 2028.
pub fn years_in_words(years: &[i32]) -> String {
    let runs = years.chunk_by(|before, after| before + 1 == *after).map(|run| match run {
        [only] => only.to_string(),
        [first, .., last] => format!("{first} to {last}"),
        [] => String::new(),
    });
    let runs: Vec<String> = runs.collect();
    if runs.is_empty() { "every year".to_owned() } else { runs.join(", ") }
}

/// Which days a term counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Count {
    #[default]
    Calendar,
    Business,
}

/// Where a due date goes that falls on a day off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Roll {
    /// It stays.
    #[default]
    None,
    /// To the next business day.
    Following,
    /// To the business day before.
    Preceding,
    /// To the next business day, unless that is in another month: then to the one before.
    ModifiedFollowing,
}

impl Roll {
    pub fn apply(self, day: NaiveDate, calendar: &Calendar) -> Result<NaiveDate, NoYear> {
        match self {
            Roll::None => Ok(day),
            Roll::Following => step(day, 1, calendar),
            Roll::Preceding => step(day, -1, calendar),
            Roll::ModifiedFollowing => {
                // What comes after the month does not matter, and its year need not be known.
                let mut next = day;
                while next.month() == day.month() {
                    if !calendar.is_off(next)? {
                        return Ok(next);
                    }
                    next = plus(next, 1);
                }
                step(day, -1, calendar)
            }
        }
    }
}

/// The first business day from `day` on, by steps of a day forwards or backwards.
fn step(mut day: NaiveDate, by: i64, calendar: &Calendar) -> Result<NaiveDate, NoYear> {
    while calendar.is_off(day)? {
        day = plus(day, by);
    }
    Ok(day)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Weekends off; October 1st and 2nd 2026 off; Saturday the 10th worked.
    pub fn october() -> Calendar {
        let special = |day: &str, off| Special { day: day.parse().unwrap(), off, name: "National Day".into() };
        Calendar {
            name: "october".into(),
            weekly_off: vec![Weekday::Sat, Weekday::Sun],
            years: vec![2026],
            special: vec![special("2026-10-01", true), special("2026-10-02", true), special("2026-10-10", false)],
        }
    }

    #[test]
    fn rolls() {
        use Roll::{Following, ModifiedFollowing, None, Preceding};
        // day, then where none, following, preceding and modified following put it
        for (day, expected) in [
            ("2026-09-30", ["09-30", "09-30", "09-30", "09-30"]),
            // Thursday the 1st is the first of four days off: nothing before it is in October.
            ("2026-10-01", ["10-01", "10-05", "09-30", "10-05"]),
            ("2026-10-03", ["10-03", "10-05", "09-30", "10-05"]),
            ("2026-10-05", ["10-05", "10-05", "10-05", "10-05"]),
            // The Saturday is worked, the Sunday after it is not.
            ("2026-10-10", ["10-10", "10-10", "10-10", "10-10"]),
            ("2026-10-11", ["10-11", "10-12", "10-10", "10-12"]),
            // Saturday the 31st: the next business day is in November.
            ("2026-10-31", ["10-31", "11-02", "10-30", "10-30"]),
        ] {
            for (roll, expected) in [None, Following, Preceding, ModifiedFollowing].into_iter().zip(expected) {
                let found = roll.apply(day.parse().unwrap(), &october()).unwrap();
                assert_eq!(found.format("%m-%d").to_string(), expected, "{day} {roll:?}");
            }
        }
    }

    #[test]
    fn a_year_without_days_is_an_error() {
        let no_year = |year| NoYear { calendar: "october".into(), year, years: vec![2026] };
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        assert_eq!(october().is_off(day("2025-12-31")), Err(no_year(2025)));
        assert_eq!(october().is_off(day("2027-01-01")), Err(no_year(2027)));
        assert_eq!(no_year(2027).to_string(), "calendar october does not know 2027; it covers 2026");
        // January 3rd 2026 is a Saturday; the business day before it would be in 2025 or not.
        assert_eq!(Roll::Following.apply(day("2026-01-03"), &october()), Ok(day("2026-01-05")));
        let mut closed_early = october();
        closed_early.special.insert(0, Special { day: day("2026-01-02"), off: true, name: "Bridge".into() });
        closed_early.special.insert(0, Special { day: day("2026-01-01"), off: true, name: "New Year".into() });
        assert_eq!(Roll::Preceding.apply(day("2026-01-03"), &closed_early), Err(no_year(2025)));
        // The last day of the year, off: only preceding and modified following stay within it.
        closed_early.special.push(Special { day: day("2026-12-31"), off: true, name: "New Year's Eve".into() });
        assert_eq!(Roll::Following.apply(day("2026-12-31"), &closed_early), Err(no_year(2027)));
        assert_eq!(Roll::ModifiedFollowing.apply(day("2026-12-31"), &closed_early), Ok(day("2026-12-30")));
        assert_eq!(Roll::Preceding.apply(day("2026-12-31"), &closed_early), Ok(day("2026-12-30")));
        assert_eq!(Roll::None.apply(day("2031-01-01"), &october()), Ok(day("2031-01-01")));
    }

    #[test]
    fn a_calendar_without_years_knows_them_all() {
        let weekends = Calendar { years: Vec::new(), special: Vec::new(), ..october() };
        assert_eq!(weekends.is_off("2199-06-01".parse().unwrap()), Ok(true));
        assert_eq!(weekends.is_off("2199-06-03".parse().unwrap()), Ok(false));
    }

    #[test]
    fn why_a_day_is_off() {
        for (day, why) in [
            ("2026-10-01", Some("National Day")),
            ("2026-10-03", Some("Saturday")),
            ("2026-10-10", None),
            ("2026-10-12", None),
        ] {
            assert_eq!(october().why_off(day.parse().unwrap()).unwrap().as_deref(), why, "{day}");
        }
    }

    #[test]
    fn years_as_people_list_them() {
        for (years, words) in
            [(vec![], "every year"), (vec![2026], "2026"), (vec![2024, 2025, 2026, 2028], "2024 to 2026, 2028")]
        {
            assert_eq!(years_in_words(&years), words);
        }
    }
}
