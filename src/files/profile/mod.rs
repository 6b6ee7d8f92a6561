//! A profile: how somebody else's format is read into the canonical columns of a kind. These are the values of it; how a
//! profile is written is for the configuration to know. `cells` is what it does to a cell, `mapping` to a row, `totals` to a
//! file.

pub mod cells;
pub mod mapping;
pub mod totals;

use regex_lite::Regex;

use self::cells::CellRules;
use super::encoding::Encoding;
use super::incoming::Kind;

/// How files of a format are read.
#[derive(Debug, Clone)]
pub struct Profile {
    pub name: String,
    /// What its rows are; none for one that leaves columns as they are, which does for every kind.
    pub kind: Option<Kind>,
    /// The first under which the header is found is the file's.
    pub encodings: Vec<Encoding>,
    /// The same.
    pub delimiters: Vec<u8>,
    /// None: quotes are signs like others.
    pub quote: Option<u8>,
    pub header: Header,
    /// What lines begin with that are not rows.
    pub comment: Option<String>,
    /// Rows may end in further empty cells.
    pub empty_ends: bool,
    pub cells: CellRules,
    /// Forms of days and times, besides the canonical ones.
    pub times: Vec<String>,
    /// None: columns have their canonical names.
    pub columns: Option<Vec<Column>>,
    /// Columns that are read otherwise in some rows; the first that fits counts.
    pub variants: Vec<Variant>,
    pub set_aside: Vec<SetAside>,
    /// A name in the heading of a table of totals.
    pub totals_heading: Option<String>,
    pub totals: Vec<Total>,
    /// A line that a whole file has after its rows.
    pub end_marker: Option<Pattern>,
}

/// Where a file's header is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// In the first line after so many.
    After(u64),
    /// In the first line that has the columns.
    Found,
}

/// Where a canonical column comes from.
#[derive(Debug, Clone)]
pub struct Column {
    pub name: String,
    pub rule: Rule,
}

#[derive(Debug, Clone, Default)]
pub struct Rule {
    /// The first of these that has a value counts.
    pub from: Vec<String>,
    /// The same in every row.
    pub constant: Option<String>,
    /// What words mean. Others are refused.
    pub words: Vec<(String, String)>,
    /// Words for nothing, in this column only.
    pub nothing: Vec<String>,
    /// Texts that stand for others.
    pub replace: Vec<(String, String)>,
    /// What follows it does not belong to the value.
    pub until: Option<String>,
    pub sign: Sign,
    /// Digits that the format always writes behind the point of an amount, whatever its currency has.
    pub decimals: Option<usize>,
    /// Of a key: the columns it is unique within.
    pub within: Vec<String>,
}

/// What is done to the sign of an amount.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sign {
    #[default]
    Kept,
    /// Written with a minus and meant without; one without is refused.
    Turned,
    /// Written with or without.
    Dropped,
    /// A minus means none, and none a minus.
    Reversed,
}

#[derive(Debug, Clone)]
pub struct Variant {
    pub when: Condition,
    /// A file may lack columns that it asks for; then it is about no row.
    pub optional: bool,
    pub columns: Vec<Column>,
}

/// Rows that are no transactions of ours.
#[derive(Debug, Clone)]
pub struct SetAside {
    pub when: Condition,
    /// Not those.
    pub unless: Condition,
    pub why: String,
    /// A file may lack columns that it asks for; then it is about no row.
    pub optional: bool,
}

/// Columns and the values that one of which they must have.
#[derive(Debug, Clone, Default)]
pub struct Condition(pub Vec<(String, Vec<String>)>);

/// Any value but none.
pub const ANY: &str = "*";

/// A control total.
#[derive(Debug, Clone)]
pub struct Total {
    pub said: Said,
    /// The column added up; none if only rows are counted.
    pub sum: Vec<String>,
    /// Of these rows.
    pub when: Condition,
    pub unsigned: bool,
    pub optional: bool,
}

/// Where a total stands.
#[derive(Debug, Clone)]
pub enum Said {
    /// In a line, as `{count}` and `{sum}`.
    Line(Pattern),
    /// In a column of the table of totals, under one of these names.
    Column(Vec<String>),
}

/// A line with `*` for anything, `{count}` for a number of rows and `{sum}` for an amount.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

impl Pattern {
    /// Numbers in it are written as in the cells.
    pub fn parse(text: &str, cells: &CellRules) -> Result<Pattern, String> {
        for name in ["{count}", "{sum}"] {
            if text.matches(name).count() > 1 {
                return Err(format!("{name} can stand in a line once"));
            }
        }
        let escaped = regex_lite::escape(text)
            .replace(r"\*", ".*")
            .replace(r"\{count\}", &format!("(?<count>{})", cells.count_like()))
            .replace(r"\{sum\}", &format!("(?<sum>{})", cells.amount_like()));
        let regex = Regex::new(&format!("^{escaped}$")).map_err(|why| why.to_string())?;
        Ok(Pattern { text: text.to_owned(), regex })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn has(&self, placeholder: &str) -> bool {
        self.text.contains(placeholder)
    }

    pub fn fits(&self, line: &str) -> bool {
        self.regex.is_match(line)
    }

    /// The count, in plain digits, and the sum that a line says, if it is one of these.
    fn says(&self, line: &str) -> Option<(Option<String>, Option<String>)> {
        let captures = self.regex.captures(line)?;
        let group = |name| captures.name(name).map(|found| found.as_str());
        let count = group("count").map(|count| count.replace(|c: char| !c.is_ascii_digit(), ""));
        Some((count, group("sum").map(|sum| sum.trim().to_owned())))
    }
}

impl Profile {
    /// The format that files have unless a feed says otherwise.
    pub fn canonical() -> Profile {
        Profile {
            name: "canonical".to_owned(),
            kind: None,
            encodings: vec![Encoding::Utf8],
            delimiters: vec![b','],
            quote: Some(b'"'),
            header: Header::After(0),
            comment: None,
            empty_ends: false,
            cells: CellRules::default(),
            times: Vec::new(),
            columns: None,
            variants: Vec::new(),
            set_aside: Vec::new(),
            totals_heading: None,
            totals: Vec::new(),
            end_marker: None,
        }
    }

    /// Whether rows are what they are: nothing is renamed, cleaned or told apart, and every cell can be taken as it stands.
    pub fn is_plain(&self) -> bool {
        self.cells.is_plain()
            && self.columns.is_none()
            && self.variants.is_empty()
            && self.set_aside.is_empty()
            && self.times.is_empty()
    }

    /// Whether a file holds lines that are neither header nor rows.
    pub fn has_other_lines(&self) -> bool {
        self.comment.is_some() || self.totals_heading.is_some() || self.must_end()
    }

    /// Whether lines say something by what stands in them.
    pub fn lines_are_read(&self) -> bool {
        self.end_marker.is_some() || self.totals.iter().any(|total| matches!(total.said, Said::Line(_)))
    }

    /// Whether a file says by itself that it is whole.
    pub fn must_end(&self) -> bool {
        !self.totals.is_empty() || self.end_marker.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_say_counts_and_sums() {
        let plain = CellRules::default();
        let pattern = Pattern::parse("#交易合计：{count}笔，商家实收共{sum}元，*", &plain).unwrap();
        let said = pattern.says("#交易合计：1,006笔，商家实收共-0.06元，商家优惠共0.00元");
        assert_eq!(said, Some((Some("1006".to_owned()), Some("-0.06".to_owned()))));
        assert_eq!(pattern.says("#退款合计：4笔，商家实收退款共-0.04元，"), None);
        assert!(Pattern::parse("{sum} of {sum}", &plain).is_err());
    }

    #[test]
    fn a_sum_in_a_line_is_written_as_amounts_in_rows_are() {
        let german = CellRules { thousands: Some('.'), decimal: Some(','), ..CellRules::default() };
        let swiss = CellRules { thousands: Some('\''), ..CellRules::default() };
        let bank = CellRules { thousands: Some(','), signs: vec!["¥".to_owned()], ..CellRules::default() };
        let cents = CellRules { minor_digits: Some(2), ..CellRules::default() };
        for (cells, line, count, sum) in [
            (&german, "Summe;2;124,00", "2", Some("124.00")),
            (&german, "Summe;2;1.240,00", "2", Some("1240.00")),
            (&german, "Summe;1.002;-1.240,00", "1002", Some("-1240.00")),
            // No sum as this format writes one, whatever it may be meant as.
            (&german, "Summe;2;124.00", "2", None),
            (&swiss, "Summe;2;12'400.00", "2", Some("12400.00")),
            (&bank, "Summe;1;¥1,234.50", "1", Some("1234.50")),
            (&bank, "Summe;1;-¥1,234.50", "1", Some("-1234.50")),
            (&cents, "Summe;1;123450", "1", Some("1234.50")),
            (&CellRules::default(), "Summe;1,002;1,234.50", "1002", Some("1234.50")),
        ] {
            let pattern = Pattern::parse("Summe;{count};{sum}", cells).unwrap();
            let (said_count, said_sum) = pattern.says(line).unwrap();
            assert_eq!(said_count.as_deref(), Some(count), "{line}");
            assert_eq!(cells.sum(&said_sum.unwrap()).as_deref(), sum, "{line}");
        }
        assert_eq!(Pattern::parse("Summe;{sum}", &german).unwrap().says("Summe;abc"), None);
    }
}
