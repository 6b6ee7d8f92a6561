//! How a format writes its cells: what to strip from values, and how numbers are written. A format has one way to write
//! numbers; a number written differently is refused, because it could mean another amount.

/// How cells are cleaned and numbers are written.
#[derive(Debug, Clone, Default)]
pub struct CellRules {
    /// Characters to strip from both ends, besides blanks.
    pub trim: Vec<char>,
    /// Words that mean an empty cell.
    pub nothing: Vec<String>,
    /// The separator between groups of three digits.
    pub thousands: Option<char>,
    /// The decimal separator, if it is not a point.
    pub decimal: Option<char>,
    /// Symbols allowed before or after an amount, such as `¥`.
    pub signs: Vec<String>,
    /// Amounts are whole numbers whose last digits, this many, are decimals.
    pub minor_digits: Option<usize>,
    /// The beginning of every cell. A delimiter that is not followed by it belongs to the cell.
    pub mark: Option<String>,
}

impl CellRules {
    /// The value of a cell, stripped.
    pub fn clean<'c>(&self, cell: &'c str) -> &'c str {
        let cell = cell.trim_matches(|c: char| c.is_whitespace() || self.trim.contains(&c));
        if self.nothing.iter().any(|word| word == cell) { "" } else { cell }
    }

    pub(super) fn is_plain(&self) -> bool {
        let CellRules { trim, nothing, thousands, decimal, signs, minor_digits, mark } = self;
        let as_written = thousands.is_none() && decimal.is_none() && signs.is_empty() && minor_digits.is_none();
        as_written && trim.is_empty() && nothing.is_empty() && mark.is_none()
    }

    fn point(&self) -> char {
        self.decimal.unwrap_or('.')
    }

    /// Whether a comma can only be a thousands separator.
    fn commas_are_thousands(&self) -> bool {
        self.thousands.is_none() && self.point() != ','
    }

    /// A regular expression that matches a number of rows.
    pub(super) fn count_like(&self) -> String {
        let parted = if self.commas_are_thousands() { Some(',') } else { self.thousands };
        format!("[0-9][0-9{}]*", regex_lite::escape(&parted.map(String::from).unwrap_or_default()))
    }

    /// A regular expression that matches a possible amount; [`CellRules::sum`] decides.
    pub(super) fn amount_like(&self) -> String {
        let signs = self.signs.iter().map(|sign| regex_lite::escape(sign)).collect::<Vec<_>>().join("|");
        let (sign, digits) = (format!("(?:{signs})?"), self.count_like());
        let point = regex_lite::escape(&self.point().to_string());
        format!("{sign} ?-? ?{sign} ?{digits}(?:{point}[0-9]+)? ?{sign}")
    }

    /// The amount of a total. Totals may have thousands separators even if rows have none.
    pub(super) fn sum(&self, text: &str) -> Option<String> {
        if self.commas_are_thousands() { self.number(&text.replace(',', "")) } else { self.number(text) }
    }

    /// An example of an amount in this format, for messages.
    pub fn example(&self) -> String {
        let thousands = self.thousands.map(String::from).unwrap_or_default();
        match self.minor_digits {
            Some(_) => format!("1{thousands}250"),
            None => format!("1{thousands}250{}90", self.point()),
        }
    }

    /// The number in plain digits; `None` if it is not written as this format writes numbers.
    pub fn number(&self, cell: &str) -> Option<String> {
        let mut text = cell;
        for sign in &self.signs {
            text = text.strip_prefix(sign.as_str()).or(text.strip_suffix(sign.as_str())).unwrap_or(text).trim();
        }
        let (minus, mut digits) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest.trim()));
        for sign in &self.signs {
            digits = digits.strip_prefix(sign.as_str()).unwrap_or(digits).trim();
        }
        let (whole, fraction) = match digits.split_once(self.point()).filter(|_| self.minor_digits.is_none()) {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (digits, None),
        };
        let plain = match self.thousands {
            Some(separator) if whole.contains(separator) => {
                let mut groups = whole.split(separator);
                let first = groups.next().unwrap_or_default();
                // A separator elsewhere is a mistake, or a decimal separator.
                if !(1..=3).contains(&first.len()) || first.starts_with('0') || !groups.all(|group| group.len() == 3) {
                    return None;
                }
                whole.replace(separator, "")
            }
            _ => whole.to_owned(),
        };
        let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        match (fraction, self.minor_digits) {
            _ if !are_digits(&plain) => None,
            (Some(fraction), None) if are_digits(fraction) => Some(format!("{minus}{plain}.{fraction}")),
            (None, None) => Some(format!("{minus}{plain}")),
            (None, Some(behind)) if !plain.is_empty() => {
                let padded = format!("{plain:0>width$}", width = behind + 1);
                let (whole, fraction) = padded.split_at(padded.len() - behind);
                Some(format!("{minus}{whole}.{fraction}").trim_end_matches('.').to_owned())
            }
            _ => None,
        }
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
    fn amounts_lose_only_symbols_and_separators() {
        let signs = vec!["¥".to_owned(), "￥".to_owned(), "元".to_owned()];
        let chinese = CellRules { thousands: Some(','), signs, ..CellRules::default() };
        let german = CellRules { thousands: Some('.'), decimal: Some(','), ..CellRules::default() };
        let cents = CellRules { minor_digits: Some(2), ..german.clone() };
        let yen = CellRules { minor_digits: Some(0), ..CellRules::default() };
        for (rules, cell, value) in [
            (&chinese, "¥1,234.50", Some("1234.50")),
            (&chinese, "-¥1,234.50", Some("-1234.50")),
            (&chinese, "￥-12.00元", Some("-12.00")),
            (&chinese, "1,234,567", Some("1234567")),
            (&chinese, "1,5", None),
            (&chinese, "12,34.00", None),
            (&chinese, "1234,567.00", None),
            (&chinese, "USD 5", None),
            (&chinese, "5,-3", None),
            (&german, "1.234,56", Some("1234.56")),
            (&german, "12.345", Some("12345")),
            (&german, "0,99", Some("0.99")),
            // In the canonical format these would be other numbers.
            (&german, "1.5", None),
            (&german, "12.34", None),
            (&german, "1234.500", None),
            (&german, "0.001", None),
            (&cents, "1250", Some("12.50")),
            (&cents, "-5", Some("-0.05")),
            (&cents, "1.250", Some("12.50")),
            (&cents, "12,50", None),
            (&yen, "1250", Some("1250")),
        ] {
            assert_eq!(rules.number(cell).as_deref(), value, "{cell:?}");
        }
    }
}
