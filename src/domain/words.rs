//! Numbers in words.

/// Returns a number with its noun: `1 merchant`, `2 merchants`.
pub fn count(number: impl TryInto<i64>, noun: &str) -> String {
    let number = number.try_into().unwrap_or(i64::MAX);
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_nouns_agree() {
        assert_eq!([0_i64, 1, 2].map(|n| count(n, "merchant")), ["0 merchants", "1 merchant", "2 merchants"]);
        assert_eq!(count(2_usize, "business day"), "2 business days");
    }
}
