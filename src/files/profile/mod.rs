//! A profile: how a file in another format is read into the canonical columns of a kind. This room holds the settings; the
//! configuration parses them. `cells` applies to a cell, `mapping` to a row and `totals` to a file.

pub mod cells;
pub mod mapping;
pub mod totals;

use regex_lite::Regex;

use self::cells::CellRules;
use super::read::encoding::Encoding;
use super::rows::Kind;

/// How files of a format are read.
#[derive(Debug, Clone)]
pub struct Profile {
    pub name: String,
    /// The kind of its rows. `None` for a profile without column rules, which fits every kind.
    pub kind: Option<Kind>,
    /// Tried in turn until the header is found.
    pub encodings: Vec<Encoding>,
    /// Tried in turn until the header is found.
    pub delimiters: Vec<u8>,
    /// `None` if quotes are ordinary characters.
    pub quote: Option<u8>,
    pub header: Header,
    /// The beginning of lines that are not rows.
    pub comment: Option<String>,
    /// Rows may have further empty cells at their end.
    pub empty_ends: bool,
    pub cells: CellRules,
    /// Formats of days and times, besides the canonical ones.
    pub times: Vec<String>,
    /// `None` if columns have their canonical names.
    pub columns: Option<Vec<Column>>,
    /// Other column rules for some rows. The first variant that matches applies.
    pub variants: Vec<Variant>,
    pub set_aside: Vec<SetAside>,
    /// A column name that identifies the heading of a table of totals.
    pub totals_heading: Option<String>,
    pub totals: Vec<Total>,
    /// The line that ends a complete file.
    pub end_marker: Option<Pattern>,
}

/// The position of a file's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// In the first line after this many lines.
    After(u64),
    /// In the first line that has the required columns.
    Found,
}

/// The rule for a canonical column.
#[derive(Debug, Clone)]
pub struct Column {
    pub name: String,
    pub rule: Rule,
}

#[derive(Debug, Clone, Default)]
pub struct Rule {
    /// The sender's columns. The first one with a value applies.
    pub from: Vec<String>,
    /// A value for every row.
    pub constant: Option<String>,
    /// The sender's words and their meanings. Other words are refused.
    pub words: Vec<(String, String)>,
    /// Words that mean an empty cell, in this column only.
    pub nothing: Vec<String>,
    /// Texts to replace, with their replacements.
    pub replace: Vec<(String, String)>,
    /// The value ends before this text.
    pub until: Option<String>,
    pub sign: Sign,
    /// The number of decimals that the format always writes, whatever the currency.
    pub decimals: Option<usize>,
    /// For a key: the columns within which it is unique.
    pub within: Vec<String>,
}

/// How the sign of an amount is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sign {
    #[default]
    Kept,
    /// The format writes a minus, which is removed. An amount without a minus is refused.
    Turned,
    /// A minus is optional and is removed.
    Dropped,
    /// The sign is inverted.
    Reversed,
}

#[derive(Debug, Clone)]
pub struct Variant {
    pub when: Condition,
    /// The file may lack the condition's columns; the entry then matches no row.
    pub optional: bool,
    pub columns: Vec<Column>,
}

/// Rows to set aside, because they are not transactions of the scheme.
#[derive(Debug, Clone)]
pub struct SetAside {
    pub when: Condition,
    /// Exceptions to `when`.
    pub unless: Condition,
    pub why: String,
    /// The file may lack the condition's columns; the entry then matches no row.
    pub optional: bool,
}

/// Columns with their permitted values. Every column must have one of its values.
#[derive(Debug, Clone, Default)]
pub struct Condition(pub Vec<(String, Vec<String>)>);

/// Matches any value that is not empty.
pub const ANY: &str = "*";

/// A control total.
#[derive(Debug, Clone)]
pub struct Total {
    pub source: TotalSource,
    /// The column to add up; empty to count rows.
    pub sum: Vec<String>,
    /// The rows to include.
    pub when: Condition,
    pub unsigned: bool,
    pub optional: bool,
}

/// Where the file states a total.
#[derive(Debug, Clone)]
pub enum TotalSource {
    /// In a line, at `{count}` and `{sum}`.
    Line(Pattern),
    /// In the table of totals, in a column with one of these names.
    Column(Vec<String>),
}

/// A pattern for a line: `*` matches any text, `{count}` a number of rows and `{sum}` an amount.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

impl Pattern {
    /// Parses a pattern. Numbers in matching lines are written as in the cells.
    pub fn parse(text: &str, cells: &CellRules) -> Result<Pattern, String> {
        for name in ["{count}", "{sum}"] {
            if text.matches(name).count() > 1 {
                return Err(format!("a line can contain {name} only once"));
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

    /// The count in plain digits, and the sum, if the line matches.
    fn says(&self, line: &str) -> Option<(Option<String>, Option<String>)> {
        let captures = self.regex.captures(line)?;
        let group = |name| captures.name(name).map(|found| found.as_str());
        let count = group("count").map(|count| count.replace(|c: char| !c.is_ascii_digit(), ""));
        Some((count, group("sum").map(|sum| sum.trim().to_owned())))
    }
}

impl Profile {
    /// The format of files without a configured profile.
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

    /// Whether rows are used unchanged: nothing is renamed, cleaned or distinguished.
    pub fn is_plain(&self) -> bool {
        self.cells.is_plain()
            && self.columns.is_none()
            && self.variants.is_empty()
            && self.set_aside.is_empty()
            && self.times.is_empty()
    }

    /// Whether a file has lines that are neither header nor rows.
    pub fn has_other_lines(&self) -> bool {
        self.comment.is_some() || self.totals_heading.is_some() || self.must_end()
    }

    /// Whether lines with totals or an end marker are recognised by their text.
    pub fn lines_are_read(&self) -> bool {
        self.end_marker.is_some() || self.totals.iter().any(|total| matches!(total.source, TotalSource::Line(_)))
    }

    /// Whether a file proves with totals or an end marker that it is complete.
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
            // Not a sum in this format, whatever the sender meant.
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
