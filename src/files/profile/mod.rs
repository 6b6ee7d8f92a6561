//! A profile: how somebody else's format is read into the canonical columns of a kind. These are the values of it; how a
//! profile is written is for the configuration to know. `mapping` is what it does to a row, `totals` what it does to a file.

pub mod mapping;
pub mod totals;

use super::encoding::Encoding;
use super::incoming::Kind;
use regex_lite::Regex;

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

/// What is taken off cells before they are read.
#[derive(Debug, Clone, Default)]
pub struct CellRules {
    /// Signs taken off both ends, besides blanks.
    pub trim: Vec<char>,
    /// Words for nothing.
    pub nothing: Vec<String>,
    /// Stands between groups of three digits of an amount.
    pub thousands: Option<char>,
    /// Stands where a point should, in an amount.
    pub decimal: Option<char>,
    /// What may stand before or after an amount, such as `¥`.
    pub signs: Vec<String>,
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
}

#[derive(Debug, Clone)]
pub struct Variant {
    pub when: Condition,
    pub columns: Vec<Column>,
}

/// Rows that are no transactions of ours.
#[derive(Debug, Clone)]
pub struct SetAside {
    pub when: Condition,
    /// Not those.
    pub unless: Condition,
    pub why: String,
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
    pub fn parse(text: &str) -> Result<Pattern, String> {
        for name in ["{count}", "{sum}"] {
            if text.matches(name).count() > 1 {
                return Err(format!("{name} can stand in a line once"));
            }
        }
        let escaped = regex_lite::escape(text)
            .replace(r"\*", ".*")
            .replace(r"\{count\}", "(?<count>[0-9][0-9,]*)")
            .replace(r"\{sum\}", r"(?<sum>-?[0-9][0-9,]*(?:\.[0-9]+)?)");
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

    /// The count and the sum that a line says, if it is one of these.
    fn says(&self, line: &str) -> Option<(Option<String>, Option<String>)> {
        let captures = self.regex.captures(line)?;
        let group = |name| captures.name(name).map(|found| found.as_str().replace(',', ""));
        Some((group("count"), group("sum")))
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
        let CellRules { trim, nothing, thousands, decimal, signs } = &self.cells;
        let clean =
            trim.is_empty() && nothing.is_empty() && thousands.is_none() && decimal.is_none() && signs.is_empty();
        clean
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

impl CellRules {
    /// A cell without what does not belong to its value.
    pub fn clean<'c>(&self, cell: &'c str) -> &'c str {
        let cell = cell.trim_matches(|c: char| c.is_whitespace() || self.trim.contains(&c));
        if self.nothing.iter().any(|word| word == cell) { "" } else { cell }
    }

    /// A number in plain digits, or the cell as it is if it is no number.
    pub fn number(&self, cell: &str) -> String {
        let mut text = cell;
        for sign in &self.signs {
            text = text.strip_prefix(sign.as_str()).or(text.strip_suffix(sign.as_str())).unwrap_or(text).trim();
        }
        let (minus, mut digits) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest.trim()));
        for sign in &self.signs {
            digits = digits.strip_prefix(sign.as_str()).unwrap_or(digits).trim();
        }
        let (whole, fraction) = match digits.split_once(self.decimal.unwrap_or('.')) {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (digits, None),
        };
        let plain = match self.thousands {
            Some(separator) if whole.contains(separator) => {
                let mut groups = whole.split(separator);
                let first = groups.next().unwrap_or_default();
                // A separator elsewhere is a slip, or another country's decimal point.
                if !(1..=3).contains(&first.len()) || !groups.all(|group| group.len() == 3) {
                    return cell.to_owned();
                }
                whole.replace(separator, "")
            }
            _ => whole.to_owned(),
        };
        let number = match fraction {
            Some(fraction) => format!("{minus}{plain}.{fraction}"),
            None => format!("{minus}{plain}"),
        };
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
        if is_number { number } else { cell.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_cleaned() {
        let rules = CellRules { trim: vec!['`', '\''], nothing: vec!["/".to_owned()], ..CellRules::default() };
        for (cell, value) in [
            ("`abc", "abc"),
            ("abc\t", "abc"),
            (" ` a`b ", "a`b"),
            ("/", ""),
            ("`/\t", ""),
            ("a/b", "a/b"),
            ("'1", "1"),
        ] {
            assert_eq!(rules.clean(cell), value, "{cell:?}");
        }
    }

    #[test]
    fn amounts_lose_signs_and_separators_and_nothing_else() {
        let signs = vec!["¥".to_owned(), "￥".to_owned(), "元".to_owned()];
        let chinese = CellRules { thousands: Some(','), signs, ..CellRules::default() };
        let german = CellRules { thousands: Some('.'), decimal: Some(','), ..CellRules::default() };
        for (rules, cell, value) in [
            (&chinese, "¥1,234.50", "1234.50"),
            (&chinese, "-¥1,234.50", "-1234.50"),
            (&chinese, "￥-12.00元", "-12.00"),
            (&chinese, "1,234,567", "1234567"),
            (&chinese, "1,5", "1,5"),
            (&chinese, "12,34.00", "12,34.00"),
            (&chinese, "1234,567.00", "1234,567.00"),
            (&chinese, "USD 5", "USD 5"),
            (&chinese, "", ""),
            (&german, "1.234,56", "1234.56"),
            (&german, "1.5", "1.5"),
            (&german, "0,99", "0.99"),
        ] {
            assert_eq!(rules.number(cell), value, "{cell:?}");
        }
    }

    #[test]
    fn lines_say_counts_and_sums() {
        let pattern = Pattern::parse("#交易合计：{count}笔，商家实收共{sum}元，*").unwrap();
        let said = pattern.says("#交易合计：1,006笔，商家实收共-0.06元，商家优惠共0.00元");
        assert_eq!(said, Some((Some("1006".to_owned()), Some("-0.06".to_owned()))));
        assert_eq!(pattern.says("#退款合计：4笔，商家实收退款共-0.04元，"), None);
        assert!(Pattern::parse("{sum} of {sum}").is_err());
    }
}
