//! What jobs share: a scheme's environment, its books, and the code that decides, proves, seals and checks them.
//! Nothing here runs on its own; jobs and commands call it.

pub mod bill_matching;
pub mod culprit;
pub mod day_folders;
pub mod done;
pub mod environment;
pub mod exceptions;
pub mod expected_files;
pub mod held_back;
pub mod inboxes;
pub mod instruction_plans;
pub mod journal_by_day;
pub mod made_again;
pub mod not_fulfilled;
pub mod order_decisions;
pub mod policy_versions;
pub mod proof;
pub mod recheck;
pub mod reconciliation;
pub mod reference_rates;
pub mod remote;
pub mod sealed_days;
pub mod sealed_reports;
pub mod suspense;
pub mod verify;
pub mod workbooks;
