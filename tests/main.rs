//! All tests in one program, so that they are linked once.

mod support;

mod architecture;
mod booking_days;
mod broken_books;
mod calendars;
mod clock;
mod containers;
mod corrections;
mod crash;
mod daemon;
mod docs;
mod files;
mod held_back;
mod hledger;
mod inbox;
mod instructions;
mod keys;
mod kill_at_writes;
mod late_fees;
mod losses;
mod mail;
mod matching;
mod not_fulfilled;
mod open_day;
mod outcomes;
#[cfg(feature = "remote")]
mod places;
mod planted_faults;
mod policies;
mod postgres_support;
mod profiles;
mod proofs;
mod properties;
mod reading;
mod records;
mod redelivery;
mod rejected_files;
mod rejections;
mod rows;
mod rules;
mod schemes;
mod second_writer;
mod shared_inboxes;
mod story;
mod watch;
