//! Calendar files: the built-in ones of `calendars/`, and a scheme's own. A file says which days of the week are off,
//! which years it covers, and the days of those years that are otherwise; what makes no sense is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use chrono::{Datelike, NaiveDate, Weekday};
use serde::Deserialize;

use super::{is_name, parse_toml, read};
use crate::domain::business_days::{Calendar, Special};
use crate::domain::calendar::{YEARS, days_between};
use crate::files::outgoing::sha256;

const BUILT_IN: [(&str, &str); 3] = [
    ("cn", include_str!("../../calendars/cn.toml")),
    ("uk", include_str!("../../calendars/uk.toml")),
    ("weekends", include_str!("../../calendars/weekends.toml")),
];

/// The longest stretch of days off in one line. Longer is a typing error.
const LONGEST_HOLIDAY: i64 = 31;

/// The calendars that policies may name.
#[derive(Debug)]
pub struct Calendars(BTreeMap<String, Named>);

/// A calendar and where it was read.
#[derive(Debug)]
pub struct Named {
    pub calendar: Arc<Calendar>,
    /// None: built in.
    pub path: Option<PathBuf>,
}

impl Calendars {
    /// The built-in calendars and those of a configuration, which replace built-in ones of the same name.
    pub fn load(base: &Path, own: BTreeMap<String, PathBuf>) -> Result<Calendars> {
        let mut calendars = BTreeMap::new();
        for (name, text) in BUILT_IN {
            let calendar = parse(name, Path::new(&format!("calendars/{name}.toml")), text)?;
            calendars.insert(name.to_owned(), Named { calendar: Arc::new(calendar), path: None });
        }
        for (name, path) in own {
            ensure!(is_name(&name), "calendars: {name:?}: a calendar's name is letters, digits, - and _");
            let path = base.join(path);
            let calendar = Arc::new(parse(&name, &path, &read(&path)?)?);
            calendars.insert(name, Named { calendar, path: Some(path) });
        }
        Ok(Calendars(calendars))
    }

    pub fn get(&self, name: &str) -> Result<Arc<Calendar>> {
        let Some(named) = self.0.get(name) else {
            let known: Vec<&str> = self.0.keys().map(String::as_str).collect();
            bail!(
                "calendar {name:?}: there is no such calendar; write one of {}, or name its file in the \
                 configuration: [calendars] {name} = \"{name}.toml\"",
                known.join(", ")
            )
        };
        Ok(Arc::clone(&named.calendar))
    }

    pub fn all(&self) -> impl Iterator<Item = &Named> {
        self.0.values()
    }
}

/// A fingerprint of each year's days, to notice when days that orders were decided on are changed: `cn/2026=…`. Names of
/// holidays may change, and years may be added.
pub fn fingerprints(calendar: &Calendar) -> Vec<String> {
    let print = |year: String, days: Vec<String>| {
        let text = format!("{:?} {}", calendar.weekly_off, days.join(" "));
        format!("{}/{year}={}", calendar.name, &sha256(text.as_bytes())[..16])
    };
    let of_year = |year: &i32| {
        let days = calendar.special.iter().filter(|special| special.day.year() == *year);
        let days = days.map(|special| format!("{} {}", special.day, if special.off { "off" } else { "worked" }));
        print(year.to_string(), days.collect())
    };
    if calendar.years.is_empty() {
        vec![print("every-year".to_owned(), Vec::new())]
    } else {
        calendar.years.iter().map(of_year).collect()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCalendar {
    weekly_off: Vec<String>,
    #[serde(default)]
    years: Vec<i32>,
    #[serde(default)]
    days_off: Vec<RawDaysOff>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDaysOff {
    name: String,
    first: NaiveDate,
    last: Option<NaiveDate>,
    #[serde(default)]
    worked: Vec<NaiveDate>,
}

fn parse(name: &str, path: &Path, text: &str) -> Result<Calendar> {
    let raw: RawCalendar = parse_toml(path, text)?;
    raw.resolve(name).with_context(|| format!("in {}", path.display()))
}

impl RawCalendar {
    fn resolve(self, name: &str) -> Result<Calendar> {
        let weekly_off = weekly_off(&self.weekly_off)?;
        let mut years = BTreeSet::new();
        for year in self.years {
            ensure!(YEARS.contains(&year), "years: {year} is not from {} to {}", YEARS.start(), YEARS.end());
            ensure!(years.insert(year), "years: {year} stands there twice");
        }
        ensure!(
            !years.is_empty() || self.days_off.is_empty(),
            "days_off are listed, but no years; write which years the file has all days of, such as years = [2026]"
        );
        let mut special: BTreeMap<NaiveDate, Special> = BTreeMap::new();
        for raw in self.days_off {
            for entry in raw.resolve(&weekly_off)? {
                let (day, year) = (entry.day, entry.day.year());
                ensure!(years.contains(&year), "{}: {day} lies in {year}, which years does not list", entry.name);
                if let Some(other) = special.insert(day, entry) {
                    bail!("{day} stands there twice, for {} as well", other.name);
                }
            }
        }
        for year in &years {
            ensure!(
                special.keys().any(|day| day.year() == *year),
                "years lists {year}, but days_off has no day of it; leave the year out until its days are known"
            );
        }
        let years = years.into_iter().collect();
        Ok(Calendar { name: name.to_owned(), weekly_off, years, special: special.into_values().collect() })
    }
}

impl RawDaysOff {
    fn resolve(self, weekly_off: &[Weekday]) -> Result<Vec<Special>> {
        let RawDaysOff { name, first, last, worked } = self;
        let last = last.unwrap_or(first);
        ensure!(first <= last, "{name}: last {last} is before first {first}");
        let days = days_between(first, last) + 1;
        ensure!(days <= LONGEST_HOLIDAY, "{name}: {first} to {last} are {days} days; at most {LONGEST_HOLIDAY} a line");
        let off = first.iter_days().take_while(|day| *day <= last);
        let mut special: Vec<Special> = off.map(|day| Special { day, off: true, name: name.clone() }).collect();
        for day in worked {
            let weekday = day.weekday();
            ensure!(
                weekly_off.contains(&weekday),
                "{name}: worked {day} is a {}, which is worked anyway; leave it out",
                day.format("%A")
            );
            special.push(Special { day, off: false, name: name.clone() });
        }
        Ok(special)
    }
}

fn weekly_off(names: &[String]) -> Result<Vec<Weekday>> {
    let mut days: Vec<Weekday> = Vec::new();
    for name in names {
        let day: Weekday = name.parse().ok().with_context(|| {
            format!("weekly_off {name:?}: write days of the week such as \"saturday\", or [] for none")
        })?;
        ensure!(!days.contains(&day), "weekly_off: {name} stands there twice");
        days.push(day);
    }
    ensure!(days.len() < 7, "weekly_off: every day is off; leave at least one to work on");
    days.sort_by_key(Weekday::num_days_from_monday);
    Ok(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_calendar(text: &str) -> Result<Calendar, String> {
        parse("own", Path::new("own.toml"), text).map_err(|why| format!("{why:#}"))
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let weekends = "weekly_off = [\"saturday\", \"sunday\"]\n";
        for (text, why) in [
            ("weekly_off = [\"caturday\"]", "weekly_off \"caturday\": write days of the week such as \"saturday\""),
            ("weekly_off = [\"sunday\", \"sun\"]", "weekly_off: sun stands there twice"),
            (
                "weekly_off = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"]",
                "every day is off; leave at least one",
            ),
            ("years = [2026]", "missing field `weekly_off`"),
            (&format!("{weekends}holidays = []"), "unknown field `holidays`"),
            (&format!("{weekends}years = [20266]"), "years: 20266 is not from 1970 to 2200"),
            (&format!("{weekends}years = [2026, 2026]"), "years: 2026 stands there twice"),
            (&format!("{weekends}years = [2026]"), "years lists 2026, but days_off has no day of it"),
            (&format!("{weekends}days_off = [{{ name = \"X\", first = \"2026-01-01\" }}]"), "but no years"),
            (
                &format!("{weekends}years = [2026]\ndays_off = [{{ name = \"X\", first = \"2027-01-01\" }}]"),
                "X: 2027-01-01 lies in 2027, which years does not list",
            ),
            (
                &format!(
                    "{weekends}years = [2026]\ndays_off = [{{ name = \"X\", first = \"2026-01-01\", last = \"2026-01-03\" }}, \
                     {{ name = \"Y\", first = \"2026-01-03\" }}]"
                ),
                "2026-01-03 stands there twice, for X as well",
            ),
            (
                &format!(
                    "{weekends}years = [2026]\ndays_off = [{{ name = \"X\", first = \"2026-01-03\", last = \"2026-01-01\" }}]"
                ),
                "X: last 2026-01-01 is before first 2026-01-03",
            ),
            (
                &format!(
                    "{weekends}years = [2026]\ndays_off = [{{ name = \"X\", first = \"2026-01-03\", last = \"2026-11-01\" }}]"
                ),
                "are 303 days; at most 31 a line",
            ),
            (
                &format!(
                    "{weekends}years = [2026]\ndays_off = [{{ name = \"X\", first = \"2026-01-01\", worked = [\"2026-01-05\"] }}]"
                ),
                "X: worked 2026-01-05 is a Monday, which is worked anyway",
            ),
            (&format!("{weekends}days_off = [{{ name = \"X\", first = \"2026-02-30\" }}]"), "own.toml"),
        ] {
            let found = read_calendar(text).unwrap_err();
            assert!(found.contains(why) && found.contains("own.toml"), "{text}\n{found}\n{why}");
        }
    }

    #[test]
    fn a_fingerprint_is_of_days_and_each_year_has_its_own() {
        let text = "weekly_off = [\"sunday\"]\nyears = [2026]\ndays_off = [{ name = \"X\", first = \"2026-01-01\" }]";
        let before = fingerprints(&read_calendar(text).unwrap());
        let renamed = fingerprints(&read_calendar(&text.replace('X', "New Year's Day")).unwrap());
        assert_eq!(renamed, before);
        let longer =
            text.replace("[2026]", "[2026, 2027]").replace(" }]", " }, { name = \"Y\", first = \"2027-01-01\" }]");
        let longer = fingerprints(&read_calendar(&longer).unwrap());
        assert_eq!(longer[..1], before[..]);
        for changed in [text.replace("01-01", "01-02"), text.replace("sunday", "monday")] {
            assert_ne!(fingerprints(&read_calendar(&changed).unwrap()), before, "{changed}");
        }
    }
}
