//! The result of a job's run, as named counts.

use crate::store::runs::Counts;

/// Named counts, for logs and `status`. Counts of zero are not shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done(pub Vec<(&'static str, i64)>);

impl Done {
    /// The counts by name, without those of zero.
    pub fn counts(&self) -> Counts {
        self.0.iter().filter(|(_, count)| *count != 0).map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    pub fn add(&mut self, other: Done) {
        for (name, count) in other.0 {
            match self.0.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum += count,
                None => self.0.push((name, count)),
            }
        }
    }
}

impl std::fmt::Display for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let done: Vec<String> =
            self.0.iter().filter(|(_, count)| *count != 0).map(|(name, count)| format!("{name} {count}")).collect();
        f.write_str(if done.is_empty() { "nothing to do" } else { "" })?;
        f.write_str(&done.join(", "))
    }
}
