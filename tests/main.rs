//! All integration tests in one program, so that they are linked only once.

mod support;

#[cfg(feature = "remote")]
mod alerts;
mod architecture;
mod before_order;
mod booking_days;
mod broken_books;
mod calendars;
mod clock;
mod console;
mod console_in_browser;
mod containers;
mod corrections;
mod crash;
mod customer;
mod daemon;
mod docs;
mod failed_close;
mod faketime;
mod faults;
mod files;
mod held_back;
mod hledger;
mod inbox;
mod init;
mod instructions;
mod keys;
mod kill_at_writes;
mod late_fees;
mod losses;
mod mail;
mod matching;
mod merchants_apart;
mod migrations;
mod modes;
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
mod service;
mod shared_inboxes;
mod status_check;
mod story;
#[cfg(feature = "remote")]
mod traces;
mod views;
mod watch;
mod widths;
