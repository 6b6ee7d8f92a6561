//! Delinquency buckets: days past due in ranges, for reports.

/// Returns the delinquency bucket of a number of days past due; `starts` are the first days of the buckets.
pub fn bucket(days_past_due: i64, starts: &[i64]) -> String {
    let reached = starts.iter().rposition(|start| *start <= days_past_due);
    match reached {
        None => "current".to_owned(),
        Some(i) => match starts.get(i + 1) {
            Some(next) => format!("{}-{}", starts[i], next - 1),
            None => format!("{}+", starts[i] - 1),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets() {
        let starts = [1, 8, 31, 61, 91];
        for (days, name) in [
            (0, "current"),
            (1, "1-7"),
            (7, "1-7"),
            (8, "8-30"),
            (60, "31-60"),
            (90, "61-90"),
            (91, "90+"),
            (400, "90+"),
        ] {
            assert_eq!(bucket(days, &starts), name, "{days}");
        }
    }
}
