//! The rules: what should be true at the end of a day, decided from facts.
//!
//! Everything here is pure. There is no file, no database, no clock and no async below this line; a day
//! is always handed in. Nothing here knows where a fact came from beyond its source line.

pub mod admission;
pub mod allocation;
pub mod arrival;
pub mod business_days;
pub mod calendar;
pub mod cancellation;
pub mod correction;
pub mod credit;
pub mod customer;
pub mod debit;
pub mod decline;
pub mod due;
pub mod eligibility;
pub mod hold;
pub mod instruction;
pub mod journal;
pub mod late_fee;
pub mod losses;
pub mod money;
pub mod order;
pub mod pay_out;
pub mod policy;
pub mod position;
pub mod principal;
pub mod reference_rate;
pub mod refunds;
pub mod reminders;

#[cfg(test)]
mod tests {
    use super::credit::Status;
    use super::hold::HoldReason;
    use super::instruction::{Answer, Direction};
    use super::journal::{Account, Kind};
    use super::order::Event;
    use super::reminders::Template;

    /// The store and files keep names and codes: each is read as what it was written for, and nothing else is read.
    #[test]
    fn names_are_read_as_what_they_were_written_for() {
        macro_rules! read_back {
            ($($kind:ident $name:ident),*) => {$(
                assert_eq!($kind::ALL.map(|one| $kind::parse(one.$name())), $kind::ALL.map(Some));
                assert_eq!($kind::parse("something else"), None);
            )*};
        }
        read_back!(Status name, HoldReason name, Answer name, Direction name, Kind name, Event name, Template name);
        assert_eq!(Account::ALL.map(|account| Account::from_code(account.code())), Account::ALL.map(Some));
        assert_eq!(Account::from_code(0), None);
    }
}
