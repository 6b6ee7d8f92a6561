//! How a format writes its cells: what does not belong to a value, and how numbers are written. There is one way for each
//! format; what is written in another is refused, since it may mean another amount.

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
    /// Amounts are whole numbers, and so many of their last digits stand behind the point.
    pub minor_digits: Option<usize>,
    /// What every cell of a row begins with. A delimiter without it after it is part of a cell.
    pub mark: Option<String>,
}

impl CellRules {
    /// A cell without what does not belong to its value.
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

    /// Whether commas can be nothing but signs between thousands.
    fn parts_freely(&self) -> bool {
        self.thousands.is_none() && self.point() != ','
    }

    /// A regular expression for a number of rows.
    pub(super) fn count_like(&self) -> String {
        let parted = if self.parts_freely() { Some(',') } else { self.thousands };
        format!("[0-9][0-9{}]*", regex_lite::escape(&parted.map(String::from).unwrap_or_default()))
    }

    /// A regular expression for what may be an amount; [`CellRules::sum`] finds out whether it is.
    pub(super) fn amount_like(&self) -> String {
        let signs = self.signs.iter().map(|sign| regex_lite::escape(sign)).collect::<Vec<_>>().join("|");
        let (sign, digits) = (format!("(?:{signs})?"), self.count_like());
        let point = regex_lite::escape(&self.point().to_string());
        format!("{sign} ?-? ?{sign} ?{digits}(?:{point}[0-9]+)? ?{sign}")
    }

    /// An amount that a total says. A format that does not part thousands in its rows may do so in its totals.
    pub(super) fn sum(&self, text: &str) -> Option<String> {
        if self.parts_freely() { self.number(&text.replace(',', "")) } else { self.number(text) }
    }

    /// An amount as this format writes one, for messages.
    pub fn example(&self) -> String {
        let thousands = self.thousands.map(String::from).unwrap_or_default();
        match self.minor_digits {
            Some(_) => format!("1{thousands}250"),
            None => format!("1{thousands}250{}90", self.point()),
        }
    }

    /// A number in plain digits. None: it is not written as this format writes numbers.
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
                // A separator elsewhere is a slip, or another country's decimal point.
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
    fn amounts_lose_signs_and_separators_and_nothing_else() {
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
            // In plain writing these would be numbers too, and other ones.
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
