//! Patterns for the names of a feed's files, and the date and number that a matching name contains.

use chrono::NaiveDate;
use regex_lite::Regex;

/// The suffix of the files in which rejected rows go back to the sender: `NAME.rejects.csv`.
const REJECTS: &str = ".rejects.csv";

/// A pattern for file names, with `{date}`, `{number}` and `*`.
#[derive(Debug, Clone)]
pub struct NamePattern {
    text: String,
    regex: Regex,
}

/// The date and number in a file's name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InName {
    pub date: Option<NaiveDate>,
    pub number: Option<i64>,
}

impl NamePattern {
    /// `{date}` matches a date such as 2026-03-09 or 20260309, `{number}` a number, and `*` any text.
    pub fn parse(text: &str) -> Result<NamePattern, String> {
        if text.contains(['/', '\\']) {
            return Err("a pattern is a file name without folders".to_owned());
        }
        for part in ["{date}", "{number}"] {
            if text.matches(part).count() > 1 {
                return Err(format!("a pattern can contain {part} only once"));
            }
        }
        let escaped = regex_lite::escape(text)
            .replace(r"\{date\}", r"(?<date>[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8})")
            .replace(r"\{number\}", "(?<number>[0-9]{1,18})")
            .replace(r"\*", ".*");
        let regex = Regex::new(&format!("^{escaped}$")).map_err(|why| why.to_string())?;
        Ok(NamePattern { text: text.to_owned(), regex })
    }

    /// The date and number in a name that matches the pattern. A name with a date that does not exist does not match. A
    /// rejects file matches if the file it was made from does.
    pub fn matches(&self, name: &str) -> Option<InName> {
        let of_rejects = || {
            let from = name.strip_suffix(REJECTS)?;
            self.matches(from).or_else(|| self.matches(&without_count(from)?))
        };
        self.read(name).or_else(of_rejects)
    }

    fn read(&self, name: &str) -> Option<InName> {
        let captures = self.regex.captures(name)?;
        let date = match captures.name("date") {
            Some(date) => Some(NaiveDate::parse_from_str(&date.as_str().replace('-', ""), "%Y%m%d").ok()?),
            None => None,
        };
        let number = captures.name("number").and_then(|number| number.as_str().parse().ok());
        Some(InName { date, number })
    }

    pub fn has_date(&self) -> bool {
        self.text.contains("{date}")
    }

    pub fn has_number(&self) -> bool {
        self.text.contains("{number}")
    }

    pub fn text(&self) -> &str {
        &self.text
    }
}

/// `orders.csv` for `orders.2.csv`, the name under which a second `orders.csv` is archived.
fn without_count(kept_as: &str) -> Option<String> {
    let is_count = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (rest, last) = kept_as.rsplit_once('.')?;
    if is_count(last) {
        return Some(rest.to_owned());
    }
    let (stem, count) = rest.rsplit_once('.')?;
    is_count(count).then(|| format!("{stem}.{last}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let day = |text: &str| Some(InName { date: Some(text.parse().unwrap()), number: None });
        let number = |number| InName { date: None, number: Some(number) };
        for (pattern, name, expected) in [
            ("orders-{date}.csv", "orders-2026-03-09.csv", day("2026-03-09")),
            ("orders-{date}.csv", "orders-20260309.csv", day("2026-03-09")),
            ("orders-{date}.csv", "orders-2026-02-30.csv", None),
            ("orders-{date}.csv", "orders-2026-03-09.csv.part", None),
            ("orders-{date}*.csv", "orders-2026-03-09-b.csv", day("2026-03-09")),
            ("orders.csv", "orders.csv", Some(InName::default())),
            ("orders.csv", "ordersXcsv", None),
            ("*.csv", "a b(1).csv", Some(InName::default())),
            ("bill-{number}.csv", "bill-0007.csv", Some(number(7))),
            ("bill-{number}.csv", "bill-.csv", None),
            ("bill-{number}.csv", "bill-1234567890123456789.csv", None),
            ("{date}{number}.csv", "2026030912.csv", Some(InName { number: Some(12), ..day("2026-03-09").unwrap() })),
            // Corrected rejects files, under the names that paylater gave them.
            ("orders-{date}.csv", "orders-2026-03-09.csv.rejects.csv", day("2026-03-09")),
            ("orders-{date}.csv", "orders-2026-03-09.2.csv.rejects.csv", day("2026-03-09")),
            ("orders-{date}.csv", "orders-2026-03-09.csv.rejects.csv.rejects.csv", day("2026-03-09")),
            ("orders-{date}.csv", "orders-2026-03-09.csv.rejects.2.csv.rejects.csv", day("2026-03-09")),
            ("orders-{date}.csv", "orders-2026-03-09.2.csv", None),
            ("orders-{date}.csv", "bills-2026-03-09.csv.rejects.csv", None),
            ("bill", "bill.12.rejects.csv", Some(InName::default())),
        ] {
            assert_eq!(NamePattern::parse(pattern).unwrap().matches(name), expected, "{pattern} {name}");
        }
        for wrong in ["../{date}.csv", "{date}-{date}.csv", "{number}-{number}.csv"] {
            assert!(NamePattern::parse(wrong).is_err(), "{wrong}");
        }
    }
}
