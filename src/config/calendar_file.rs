//! Calendar files: the built-in ones in `calendars/`, and a scheme's own. A file lists the days of the week that are
//! off, the years it covers, and the days in those years that differ. Inconsistent files are refused.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, bail};
use chrono::{Datelike, NaiveDate, Weekday};
use schemars::JsonSchema;
use serde::Deserialize;

use super::toml::{Node, Problems, Rules, is_name, join, read, read_as, shape, weekdays, wrong};
use crate::domain::business_days::{Calendar, Special};
use crate::domain::calendar::{YEARS, days_between};
use crate::files::reports::sha256;

const BUILT_IN: [(&str, &str); 3] = [
    ("cn", include_str!("../../calendars/cn.toml")),
    ("uk", include_str!("../../calendars/uk.toml")),
    ("weekends", include_str!("../../calendars/weekends.toml")),
];

/// The longest period of days off in one line. A longer one is a typing error.
const LONGEST_HOLIDAY: i64 = 31;

/// The calendars that policies may name.
#[derive(Debug, Default)]
pub struct Calendars {
    known: BTreeMap<String, Named>,
    /// Calendars whose file can't be used. Their own problems are reported, so references to them cause no further
    /// problem.
    unusable: BTreeSet<String>,
}

/// A calendar and the file it comes from.
#[derive(Debug)]
pub struct Named {
    pub calendar: Arc<Calendar>,
    /// `None` for a built-in calendar.
    pub path: Option<PathBuf>,
}

impl Calendars {
    pub fn built_in(problems: &mut Problems) -> Calendars {
        let mut calendars = Calendars::default();
        for (name, text) in BUILT_IN {
            let calendar = parse(name, Path::new(&format!("calendars/{name}.toml")), text, problems);
            calendars.add(name, None, calendar);
        }
        calendars
    }

    /// The built-in calendars and those of a configuration, which replace built-in ones of the same name.
    pub fn load(document: &Node, base: &Path, problems: &mut Problems) -> Calendars {
        let mut calendars = Calendars::built_in(problems);
        let own = document.get("calendars").and_then(Node::table);
        for (name, node) in own.into_iter().flat_map(|table| table.iter()) {
            let file = node.text().map(|file| base.join(file));
            let calendar = file.as_ref().and_then(|path| own_calendar(name, path, document, problems));
            calendars.add(name, file, calendar);
        }
        calendars
    }

    fn add(&mut self, name: &str, path: Option<PathBuf>, calendar: Option<Calendar>) {
        match calendar {
            Some(calendar) => {
                self.known.insert(name.to_owned(), Named { calendar: Arc::new(calendar), path });
            }
            None => {
                self.known.remove(name);
                self.unusable.insert(name.to_owned());
            }
        }
    }

    pub fn get(&self, name: &str) -> Option<Arc<Calendar>> {
        self.known.get(name).map(|named| Arc::clone(&named.calendar))
    }

    /// Finds the calendar that a policy names; `None` if the calendar exists, but its file can't be used.
    pub fn find(&self, name: &str) -> Result<Option<Arc<Calendar>>> {
        let calendar = self.get(name);
        if calendar.is_none() && !self.unusable.contains(name) {
            let known: Vec<&str> = self.known.keys().map(String::as_str).collect();
            let meant = shape::nearest(name, &known).map(|name| format!("; did you mean {name}?")).unwrap_or_default();
            bail!(
                "there is no calendar {name:?}; write {}, or name its file in the configuration: [calendars] \
                 {name} = \"{name}.toml\"{meant}",
                shape::listed(&known)
            )
        }
        Ok(calendar)
    }

    pub fn all(&self) -> impl Iterator<Item = &Named> {
        self.known.values()
    }
}

fn own_calendar(name: &str, path: &Path, document: &Node, problems: &mut Problems) -> Option<Calendar> {
    let mut rules = Rules::new(document, problems);
    let key = join("calendars", name);
    if !is_name(name) {
        rules.refuse(&key, "a calendar's name is letters, digits, - and _; write another");
        return None;
    }
    let text = rules.keep(&key, read(path))?;
    parse(name, path, &text, problems)
}

/// Returns a fingerprint of each year's days, such as `cn/2026=…`, to detect changes to days that orders were decided
/// on. Names of holidays may change, and years may be added, without a change of existing fingerprints.
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

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawCalendar {
    /// Days of the week that are off, such as "saturday"; [] for none.
    weekly_off: Vec<String>,
    /// The years whose days are all here; without it the calendar holds for every year.
    #[serde(default)]
    years: Vec<i64>,
    /// Days that are otherwise.
    #[serde(default)]
    days_off: Vec<RawDaysOff>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawDaysOff {
    /// What it is called.
    name: String,
    /// The first day off.
    first: NaiveDate,
    /// The last day off; the first if left out.
    last: Option<NaiveDate>,
    /// Days of weekends that are worked for it.
    #[serde(default)]
    worked: Vec<NaiveDate>,
}

fn parse(name: &str, path: &Path, text: &str, problems: &mut Problems) -> Option<Calendar> {
    let (raw, document) = read_as::<RawCalendar>(path, text, problems)?;
    let before = problems.count();
    let calendar = raw.resolve(name, &mut Rules::new(&document, problems))?;
    (problems.count() == before).then_some(calendar)
}

impl RawCalendar {
    fn resolve(self, name: &str, rules: &mut Rules) -> Option<Calendar> {
        let weekly_off = rules.keep("weekly_off", weekly_off(&self.weekly_off))?;
        let years = years(&self.years, rules);
        if years.is_empty() && !self.days_off.is_empty() {
            let advice = "is missing; write which years the file has all days of, such as years = [2026]";
            rules.refuse("years", advice);
            return None;
        }
        let mut special: BTreeMap<NaiveDate, Special> = BTreeMap::new();
        for (i, raw) in self.days_off.into_iter().enumerate() {
            let at = format!("days_off[{i}]");
            for entry in rules.keep(&at, raw.resolve(&weekly_off)).unwrap_or_default() {
                let (day, year) = (entry.day, entry.day.year());
                if !years.contains(&year) {
                    let message =
                        format!("{}: {day} is in {year}, which years does not list; add it there", entry.name);
                    rules.refuse(&at, message);
                    break;
                }
                if let Some(other) = special.insert(day, entry) {
                    let message = format!("{day} is listed twice, for {} as well; write each day once", other.name);
                    rules.refuse(&at, message);
                }
            }
        }
        for year in years.iter().filter(|year| !special.keys().any(|day| day.year() == **year)) {
            let message =
                format!("{year} is listed, but days_off has no day of it; leave the year out until its days are known");
            rules.refuse("years", message);
        }
        let years = years.into_iter().collect();
        Some(Calendar { name: name.to_owned(), weekly_off, years, special: special.into_values().collect() })
    }
}

fn years(written: &[i64], rules: &mut Rules) -> BTreeSet<i32> {
    let mut years = BTreeSet::new();
    for (i, written) in written.iter().enumerate() {
        let at = format!("years[{i}]");
        match i32::try_from(*written).ok().filter(|year| YEARS.contains(year)) {
            None => {
                let (first, last) = (YEARS.start(), YEARS.end());
                rules.refuse(&at, format!("{written} is not from {first} to {last}; write a year that is"));
            }
            Some(year) if !years.insert(year) => {
                rules.refuse(&at, format!("{year} is listed twice; write each year once"));
            }
            Some(_) => {}
        }
    }
    years
}

impl RawDaysOff {
    fn resolve(self, weekly_off: &[Weekday]) -> Result<Vec<Special>> {
        let RawDaysOff { name, first, last, worked } = self;
        let last = last.unwrap_or(first);
        if last < first {
            return Err(wrong("last", format!("{name}: {last} is before first, {first}; write a day from then on")));
        }
        let days = days_between(first, last) + 1;
        if days > LONGEST_HOLIDAY {
            let message = format!("{name}: {first} to {last} are {days} days; write at most {LONGEST_HOLIDAY} a line");
            return Err(wrong("last", message));
        }
        let off = first.iter_days().take_while(|day| *day <= last);
        let mut special: Vec<Special> = off.map(|day| Special { day, off: true, name: name.clone() }).collect();
        for (i, day) in worked.into_iter().enumerate() {
            if !weekly_off.contains(&day.weekday()) {
                let weekday = day.format("%A");
                let message = format!("{name}: {day} is a {weekday}, which is worked anyway; leave it out");
                return Err(wrong(format!("worked[{i}]"), message));
            }
            special.push(Special { day, off: false, name: name.clone() });
        }
        Ok(special)
    }
}

fn weekly_off(names: &[String]) -> Result<Vec<Weekday>> {
    let days = weekdays(names)?;
    if days.len() == 7 {
        bail!("every day is off; leave at least one to work on");
    }
    Ok(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_calendar(text: &str) -> Result<Calendar, String> {
        let mut problems = Problems::default();
        let calendar = parse("own", Path::new("own.toml"), text, &mut problems);
        problems.or_all(calendar).map_err(|why| why.to_string())
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let weekends = "weekly_off = [\"saturday\", \"sunday\"]\n";
        for (text, why) in [
            (
                "weekly_off = [\"caturday\"]",
                "own.toml:1: weekly_off: \"caturday\": write days of the week such as \"saturday\"",
            ),
            ("weekly_off = [\"sunday\", \"sun\"]", "weekly_off: \"sun\" is listed twice"),
            (
                "weekly_off = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"]",
                "every day is off; leave at least one",
            ),
            ("years = [2026]", "own.toml:1: weekly_off: is missing; write it: days of the week that are off"),
            (&format!("{weekends}holidays = []"), "own.toml:2: holidays: there is no such key"),
            (&format!("{weekends}years = [20266]"), "own.toml:2: years: 20266 is not from 1970 to 2200"),
            (&format!("{weekends}years = [2026, 2026]"), "years: 2026 is listed twice"),
            (&format!("{weekends}years = [2026]"), "years: 2026 is listed, but days_off has no day of it"),
            (
                &format!("{weekends}days_off = [{{ name = \"X\", first = \"2026-01-01\" }}]"),
                "years: is missing; write which years",
            ),
            (
                &format!("{weekends}years = [2026]\ndays_off = [{{ name = \"X\", first = \"2027-01-01\" }}]"),
                "own.toml:3: days_off: X: 2027-01-01 is in 2027, which years does not list",
            ),
            (
                &format!(
                    "{weekends}years = [2026]\ndays_off = [{{ name = \"X\", first = \"2026-01-01\", last = \"2026-01-03\" }}, \
                     {{ name = \"Y\", first = \"2026-01-03\" }}]"
                ),
                "2026-01-03 is listed twice, for X as well",
            ),
            (
                &format!(
                    "{weekends}years = [2026]\ndays_off = [{{ name = \"X\", first = \"2026-01-03\", last = \"2026-01-01\" }}]"
                ),
                "days_off.last: X: 2026-01-01 is before first, 2026-01-03",
            ),
            (
                &format!(
                    "{weekends}years = [2026]\ndays_off = [{{ name = \"X\", first = \"2026-01-03\", last = \"2026-11-01\" }}]"
                ),
                "are 303 days; write at most 31 a line",
            ),
            (
                &format!(
                    "{weekends}years = [2026]\ndays_off = [{{ name = \"X\", first = \"2026-01-01\", worked = [\"2026-01-05\"] }}]"
                ),
                "days_off.worked: X: 2026-01-05 is a Monday, which is worked anyway",
            ),
            (
                &format!("{weekends}days_off = [{{ name = \"X\", first = \"2026-02-30\" }}]"),
                "own.toml:2: days_off.first: \"2026-02-30\" is not a day",
            ),
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
