//! The rules: what should be true at the end of a day, decided from facts.
//!
//! Everything here is pure. There is no file, no database, no clock and no async below this line; a day
//! is always handed in. Nothing here knows where a fact came from beyond its source line.

pub mod bank;
pub mod business_days;
pub mod calendar;
pub mod decide;
pub mod facts;
pub mod intake;
pub mod journal;
pub mod language_tag;
pub mod money;
pub mod owner;
pub mod terms;
pub mod words;

#[cfg(test)]
mod tests {
    use super::bank::instruction::{Answer, Direction};
    use super::decide::credit_record::CreditStatus;
    use super::decide::reminders::Template;
    use super::facts::fact::{Event, FactKind, HoldReason};
    use super::intake::kind::Kind;
    use super::intake::status::{FileStatus, RowOutcome};
    use super::journal::{Account, EntryKind, Reason};

    /// The store and files keep names and codes: each is read as what it was written for, and nothing else is read.
    #[test]
    fn names_are_read_as_what_they_were_written_for() {
        macro_rules! read_back {
            ($($kind:ident $name:ident),*) => {$(
                assert_eq!($kind::ALL.map(|one| $kind::parse(one.$name())), $kind::ALL.map(Some));
                assert_eq!($kind::parse("something else"), None);
            )*};
        }
        read_back!(CreditStatus name, FactKind name, HoldReason name, Answer name, Direction name, EntryKind name, Event name, Template name,
            FileStatus name, RowOutcome name, Kind name, Reason name);
        assert_eq!(Account::ALL.map(|account| Account::from_code(account.code())), Account::ALL.map(Some));
        assert_eq!(Account::from_code(0), None);
    }
}
