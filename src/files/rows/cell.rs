//! Cells: parses the text in a column into a typed value, or rejects it with a message that says what to write.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, SubsecRound, Utc};
use chrono_tz::Tz;

use super::{email, key};
use crate::domain::calendar::{self, instant_of};
use crate::domain::facts::fact::PARTS;
use crate::domain::intake::code::RowCode;
use crate::domain::money::Currency;

/// The longest key and the longest other text, in characters.
const KEY_LENGTH: usize = 64;
const TEXT_LENGTH: usize = 500;

/// The most parts of a joined key. Each part may be as long as a key.
const KEY_PARTS: usize = 4;

/// Why a row is rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    pub code: RowCode,
    /// Names the column, the value and what to write instead. Contains no personal data.
    pub message: String,
}

impl Rejection {
    pub fn new(code: RowCode, message: impl Into<String>) -> Rejection {
        Rejection { code, message: message.into() }
    }
}

/// The cells of a row by column name, and the time zone of times without an offset.
pub struct Cells<'a> {
    /// Column names in the file's order.
    pub header: &'a [String],
    pub cells: &'a csv::StringRecord,
    pub zone: Tz,
    /// The sender's own cells, if a profile has changed them.
    pub as_sent: Option<AsSent<'a>>,
}

/// The row as its sender wrote it, for messages.
#[derive(Clone, Copy)]
pub struct AsSent<'a> {
    pub header: &'a [String],
    pub cells: &'a csv::StringRecord,
    /// For each canonical cell, the index of the sender's cell.
    pub from: &'a [Option<usize>],
}

impl<'a> Cells<'a> {
    /// A column's text without surrounding blanks; empty if the file has no such column.
    pub fn raw(&self, column: &str) -> &'a str {
        self.cell(column).trim()
    }

    fn cell(&self, column: &str) -> &'a str {
        let at = self.header.iter().position(|name| name == column);
        at.and_then(|i| self.cells.get(i)).unwrap_or_default()
    }

    /// A key: required, short, and without invisible characters. Surrounding blanks and tabs are removed.
    pub fn key(&self, column: &str) -> Result<String, Rejection> {
        self.required(column)?;
        let value = self.cell(column).trim_matches([' ', '\t']);
        if let Some(why) = key::wrong(value) {
            return Err(self.wrong(RowCode::BadKey, column, &why));
        }
        // A key that is unique only within other columns has their values in front.
        let mut parts = value.split(PARTS);
        let is_joined = parts.clone().count() <= KEY_PARTS && parts.all(|part| too_long(part, KEY_LENGTH).is_none());
        if let Some(why) = too_long(value, KEY_LENGTH).filter(|_| !is_joined) {
            return Err(self.wrong(RowCode::BadText, column, &why));
        }
        Ok(value.to_owned())
    }

    /// Free text, if the cell is not empty.
    pub fn text(&self, column: &str) -> Result<Option<String>, Rejection> {
        let value = self.raw(column);
        match wrong_text(value) {
            Some(why) => Err(self.wrong(RowCode::BadText, column, &why)),
            None => Ok((!value.is_empty()).then(|| value.to_owned())),
        }
    }

    /// A person's name: required, on one line, and never quoted in a message.
    pub fn person(&self, column: &str) -> Result<String, Rejection> {
        let value = self.required(column)?;
        let hidden = || {
            let is_hidden = |c: char| c.is_control() || key::turns_text(c) || matches!(c, '\u{2028}' | '\u{2029}');
            value.contains(is_hidden).then(|| "has control characters; remove them and write one line".to_owned())
        };
        self.personal(RowCode::BadText, column, too_long(value, TEXT_LENGTH).or_else(hidden))
    }

    /// An e-mail address; never quoted in a message.
    pub fn email(&self, column: &str) -> Result<String, Rejection> {
        let value = self.required(column)?;
        self.personal(RowCode::BadEmail, column, email::wrong(value).map(str::to_owned))
    }

    fn personal(&self, code: RowCode, column: &str, wrong: Option<String>) -> Result<String, Rejection> {
        match wrong {
            Some(why) => Err(Rejection::new(code, format!("column {}: {why}", self.as_sent(column).0))),
            None => Ok(self.raw(column).to_owned()),
        }
    }

    pub fn currency(&self, column: &str) -> Result<Currency, Rejection> {
        let value = self.required(column)?;
        let unknown = || self.wrong(RowCode::BadCurrency, column, "not an ISO 4217 code in capitals such as CNY");
        Currency::parse(value).ok_or_else(unknown)
    }

    /// An amount above zero, in minor units of a currency.
    pub fn amount(&self, column: &str, currency: Currency) -> Result<i64, Rejection> {
        let value = self.required(column)?;
        match currency.parse_minor(value) {
            Ok(minor) if minor > 0 => Ok(minor),
            Ok(_) => Err(self.wrong(RowCode::BadAmount, column, "must be more than 0")),
            Err(why) => Err(self.wrong(RowCode::BadAmount, column, &why.to_string())),
        }
    }

    /// An amount that was moved, in minor units. A row with an amount of zero has nothing to book and is declined.
    pub fn moved(&self, column: &str, currency: Currency) -> Result<i64, Rejection> {
        if currency.parse_minor(self.raw(column)) == Ok(0) {
            let why = "no money moved, and the order still owes the same; send a discount as a refund";
            return Err(self.wrong(RowCode::NoAmount, column, why));
        }
        self.amount(column, currency)
    }

    /// An amount of any sign in minor units, if the cell is not empty.
    pub fn optional_signed_amount(&self, column: &str, currency: Currency) -> Result<Option<i64>, Rejection> {
        let value = self.raw(column);
        if value.is_empty() {
            return Ok(None);
        }
        let minor = currency.parse_minor(value);
        minor.map(Some).map_err(|why| self.wrong(RowCode::BadAmount, column, &why.to_string()))
    }

    pub fn integer(&self, column: &str, range: std::ops::RangeInclusive<i64>) -> Result<i64, Rejection> {
        let value = self.required(column)?;
        let wrong = || {
            let (from, to) = (range.start(), range.end());
            self.wrong(RowCode::BadNumber, column, &format!("not a whole number from {from} to {to}"))
        };
        value.parse().ok().filter(|number| range.contains(number)).ok_or_else(wrong)
    }

    pub fn boolean(&self, column: &str) -> Result<bool, Rejection> {
        match self.required(column)? {
            yes if yes.eq_ignore_ascii_case("true") => Ok(true),
            no if no.eq_ignore_ascii_case("false") => Ok(false),
            _ => Err(self.wrong(RowCode::BadValue, column, "write true or false")),
        }
    }

    /// One of a list of words.
    pub fn word<T>(&self, column: &str, parse: impl Fn(&str) -> Option<T>, words: &[&str]) -> Result<T, Rejection> {
        let value = self.required(column)?;
        let one_of = if words.len() == 1 { "" } else { "one of " };
        let unknown = || self.wrong(RowCode::BadValue, column, &format!("write {one_of}{}", words.join(", ")));
        parse(value).ok_or_else(unknown)
    }

    /// An instant: RFC 3339, or a date with or without a time in the feed's zone.
    pub fn instant(&self, column: &str) -> Result<DateTime<Utc>, Rejection> {
        let value = self.required(column)?;
        let wrong = || {
            let how =
                "write it like 2026-03-09 14:30:00, 2026-03-09 or 2026-03-09T14:30:00+08:00, with a date that exists";
            self.wrong(RowCode::BadTime, column, how)
        };
        parse_instant(value, self.zone).ok_or_else(wrong)
    }

    pub fn optional_instant(&self, column: &str) -> Result<Option<DateTime<Utc>>, Rejection> {
        if self.raw(column).is_empty() { Ok(None) } else { self.instant(column).map(Some) }
    }

    pub fn date(&self, column: &str) -> Result<NaiveDate, Rejection> {
        let value = self.required(column)?;
        let wrong = || self.wrong(RowCode::BadTime, column, "write a date that exists like 2026-03-09");
        parse_date(value.as_bytes()).ok_or_else(wrong)
    }

    pub fn optional_date(&self, column: &str) -> Result<Option<NaiveDate>, Rejection> {
        if self.raw(column).is_empty() { Ok(None) } else { self.date(column).map(Some) }
    }

    fn required(&self, column: &str) -> Result<&'a str, Rejection> {
        let value = self.raw(column);
        if value.is_empty() { Err(self.missing(column)) } else { Ok(value) }
    }

    fn wrong(&self, code: RowCode, column: &str, why: &str) -> Rejection {
        let (column, value) = self.as_sent(column);
        Rejection::new(code, format!("column {column}, value {}: {why}", quoted(value)))
    }

    fn missing(&self, column: &str) -> Rejection {
        let (column, value) = self.as_sent(column);
        let message = match value {
            "" => format!("column {column} is empty; it is required"),
            // The sender wrote a word that the profile reads as empty.
            word => format!(
                "column {column}, value {}: the profile reads this value as empty; it is required",
                quoted(word)
            ),
        };
        Rejection::new(RowCode::MissingValue, message)
    }

    /// The sender's name for a column, and the sender's text in it.
    fn as_sent(&self, column: &str) -> (String, &'a str) {
        let sent = self.as_sent.and_then(|sent| {
            let at = (*sent.from.get(self.header.iter().position(|name| name == column)?)?)?;
            Some((named(sent.header.get(at)?, column), sent.cells.get(at)?.trim()))
        });
        // Other kinds of blanks are kept, because they may be the fault.
        sent.unwrap_or_else(|| (column.to_owned(), self.cell(column).trim_matches([' ', '\t'])))
    }
}

/// Why a text is refused.
fn wrong_text(value: &str) -> Option<String> {
    let nul = || value.contains('\0').then(|| "has a NUL character; remove it".to_owned());
    too_long(value, TEXT_LENGTH).or_else(nul)
}

fn too_long(value: &str, most: usize) -> Option<String> {
    let length = value.chars().count();
    (length > most).then(|| format!("has {length} characters; write at most {most}"))
}

/// A column by the sender's name, followed by the canonical name if they differ.
pub fn named(sent: &str, column: &str) -> String {
    if sent == column { column.to_owned() } else { format!("{sent} ({column})") }
}

/// A value for a message: shortened, on one line.
pub fn quoted(value: &str) -> String {
    const SHOWN: usize = 40;
    let shown: String = value.chars().take(SHOWN).map(|c| if key::is_seen(c) { c } else { '\u{fffd}' }).collect();
    let more = if value.chars().count() > SHOWN { "…" } else { "" };
    format!("\"{shown}\"{more}")
}

/// Whether a text has the form of a canonical day or time, even if the day does not exist.
pub fn is_canonical_time(text: &str) -> bool {
    let day = text.as_bytes().get(..10);
    let fits = |(at, byte): (usize, &u8)| if matches!(at, 4 | 7) { *byte == b'-' } else { byte.is_ascii_digit() };
    day.is_some_and(|day| day.iter().enumerate().all(fits))
}

fn parse_instant(text: &str, zone: Tz) -> Option<DateTime<Utc>> {
    let bytes = text.as_bytes();
    let at = match bytes.len() {
        10 => instant_of(parse_date(bytes)?.and_time(NaiveTime::MIN), zone),
        19 if bytes[10] == b' ' || bytes[10] == b'T' => {
            let time = parse_time(&bytes[11..])?;
            instant_of(NaiveDateTime::new(parse_date(&bytes[..10])?, time), zone)
        }
        _ => DateTime::parse_from_rfc3339(text).ok()?.to_utc(),
    };
    // Both databases store microseconds.
    calendar::YEARS.contains(&at.year()).then_some(at.trunc_subsecs(6))
}

fn parse_date(bytes: &[u8]) -> Option<NaiveDate> {
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let year = i32::try_from(digits(&bytes[..4])?).ok()?;
    let date = NaiveDate::from_ymd_opt(year, digits(&bytes[5..7])?, digits(&bytes[8..])?)?;
    calendar::YEARS.contains(&date.year()).then_some(date)
}

fn parse_time(bytes: &[u8]) -> Option<NaiveTime> {
    if bytes.len() != 8 || bytes[2] != b':' || bytes[5] != b':' {
        return None;
    }
    NaiveTime::from_hms_opt(digits(&bytes[..2])?, digits(&bytes[3..5])?, digits(&bytes[6..])?)
}

fn digits(bytes: &[u8]) -> Option<u32> {
    bytes.iter().try_fold(0_u32, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<T>(column: &str, value: &str, read: impl Fn(&Cells<'_>) -> T) -> T {
        let header = [column.to_owned()];
        let cells = csv::StringRecord::from(vec![value]);
        read(&Cells { header: &header, cells: &cells, zone: chrono_tz::Asia::Shanghai, as_sent: None })
    }

    #[test]
    fn times_are_read_in_the_feeds_zone() {
        for (text, utc) in [
            ("2026-03-09 14:30:00", Some("2026-03-09T06:30:00Z")),
            ("2026-03-09T14:30:00", Some("2026-03-09T06:30:00Z")),
            ("2026-03-09", Some("2026-03-08T16:00:00Z")),
            ("2026-03-09T14:30:00+01:00", Some("2026-03-09T13:30:00Z")),
            ("2026-03-09T14:30:00.250Z", Some("2026-03-09T14:30:00.250Z")),
            ("2026-03-09T14:30:00.1234567Z", Some("2026-03-09T14:30:00.123456Z")),
            (" 2026-03-09 ", Some("2026-03-08T16:00:00Z")),
            ("2024-02-29", Some("2024-02-28T16:00:00Z")),
            ("2026-02-29", None),
            ("2026-02-30 10:00:00", None),
            ("2026-13-01", None),
            ("2026-03-09 24:00:00", None),
            ("09.03.2026", None),
            ("2026-3-9", None),
            ("1900-01-01", None),
            ("９９９９-01-01", None),
        ] {
            let found = with("paid_at", text, |cells| cells.instant("paid_at").ok());
            assert_eq!(found, utc.map(|utc| utc.parse::<DateTime<Utc>>().unwrap()), "{text:?}");
        }
    }

    #[test]
    fn messages_name_column_and_value_and_say_what_to_do() {
        let cny = Currency::parse("CNY").unwrap();
        let amount = |text: &str| with("amount", text, |cells| cells.amount("amount", cny).unwrap_err().message);
        let event = |text: &str| {
            let words = ["shipped", "delivered"];
            with("event", text, |cells| cells.word("event", |_| None::<()>, &words).unwrap_err().message)
        };
        let time = |text: &str| with("paid_at", text, |cells| cells.instant("paid_at").unwrap_err().message);
        let id = |text: &str| with("order_id", text, |cells| cells.key("order_id").unwrap_err().message);
        for (message, expected) in [
            (amount("12.345"), r#"column amount, value "12.345": CNY has 2 digits after the point"#),
            (amount("abc"), r#"column amount, value "abc": not a plain decimal number such as 129.90"#),
            (amount("0"), r#"column amount, value "0": must be more than 0"#),
            (amount(""), "column amount is empty; it is required"),
            (event("lo\nst"), "column event, value \"lo\u{fffd}st\": write one of shipped, delivered"),
            (
                time("2026-02-30"),
                "column paid_at, value \"2026-02-30\": write it like 2026-03-09 14:30:00, 2026-03-09 or \
                 2026-03-09T14:30:00+08:00, with a date that exists",
            ),
            (
                id("a\u{7}b"),
                "column order_id, value \"a\u{fffd}b\": has the invisible or ambiguous character U+0007; remove it",
            ),
        ] {
            assert_eq!(message, expected);
        }
        assert!(id(&"x".repeat(65)).ends_with("…: has 65 characters; write at most 64"));
    }

    #[test]
    fn personal_values_are_never_quoted() {
        let long = "Zhang San ".repeat(100);
        let one_line = "has control characters; remove them and write one line";
        for (value, why) in
            [(&*long, "has 999 characters; write at most 500"), ("Zhang\0San", one_line), ("Zhang\nSan", one_line)]
        {
            let message = with("name", value, |cells| cells.person("name").unwrap_err().message);
            assert_eq!(message, format!("column name: {why}"));
        }
        assert!(with("name", " 李 \u{202e}雷", |cells| cells.person("name")).is_err());
        assert_eq!(with("name", " 李 雷 ", |cells| cells.person("name")).as_deref(), Ok("李 雷"));
        let refused = with("email", "zhang@例え.jp", |cells| cells.email("email")).unwrap_err();
        assert!(refused.code == RowCode::BadEmail && !refused.message.contains("zhang"), "{refused:?}");
    }
}
