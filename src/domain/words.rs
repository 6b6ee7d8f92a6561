//! Numbers in words, with nouns and verbs that agree with them.

/// Returns a number with its noun: `1 merchant`, `2 merchants`.
pub fn count(number: impl TryInto<i64>, noun: &str) -> String {
    let number = number.try_into().unwrap_or(i64::MAX);
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// Returns a number with its noun and a verb, which is given in the plural: `1 day is`, `2 days are`; `1 mail waits`.
pub fn count_with(number: impl TryInto<i64>, noun: &str, verb: &str) -> String {
    let number = number.try_into().unwrap_or(i64::MAX);
    let verb = match (number, verb) {
        (1, "are") => "is",
        (1, "were") => "was",
        (1, "have") => "has",
        (1, verb) => &format!("{verb}s"),
        (_, verb) => verb,
    };
    format!("{} {verb}", count(number, noun))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_nouns_agree() {
        assert_eq!([0_i64, 1, 2].map(|n| count(n, "merchant")), ["0 merchants", "1 merchant", "2 merchants"]);
        assert_eq!(count(2_usize, "business day"), "2 business days");
        assert_eq!([0_i64, 1, 2].map(|n| count_with(n, "day", "are")), ["0 days are", "1 day is", "2 days are"]);
        assert_eq!([1, 2].map(|n| count_with(n, "mail", "wait")), ["1 mail waits", "2 mails wait"]);
        assert_eq!([1, 2].map(|n| count_with(n, "row", "have")), ["1 row has", "2 rows have"]);
        assert_eq!([1, 2].map(|n| count_with(n, "file", "were")), ["1 file was", "2 files were"]);
    }
}
