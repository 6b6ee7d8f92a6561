//! paylater runs a *use now, pay later* scheme (先用后付). The whole model in ten lines:
//!
//! 1. Files bring **facts**: an order was placed, delivered, paid, refunded, extended, held. Facts are kept for ever.
//! 2. An **order** keeps the policy version, score and agreement it was decided on, and is owed in **instalments**.
//! 3. [`domain::decide::end_of_day::decide`] says what is true of an order at the end of a day: due dates, what is left, the late
//!    fee owed in total, every movement of money, the customer's credit record. It is pure.
//! 4. A **job** loads what may change today, decides, and records only the difference from the books, in one
//!    transaction. So a rerun finds nothing, missed days are decided in turn, and late news corrects itself.
//! 5. `next_action_on` is the first day on which anything about an order can change by itself: work is found by index.
//! 6. The **journal** has a row for every movement: debit, credit, amount, cause. Rows are added, never changed.
//! 7. A **business date** is open until the **close** has proved its books; then it is sealed and the next one opens.
//! 8. A sealed day's files can be made again from the facts known then, byte for byte; `verify` does just that.
//!
//! `CONTRIBUTING.md` has the map of the house. Nothing points up: `domain` < `files`, `store`, `mail` < `scheme` < `books` <
//! `jobs` < `runner`, `views` < `console`, `alerts` < `cli`; `config` is beside `cli`.

pub mod alerts;
pub mod books;
pub mod calls;
pub mod cli;
pub mod clock;
pub mod config;
pub mod console;
pub mod domain;
pub mod files;
pub mod jobs;
pub mod mail;
pub mod runner;
pub mod scheme;
pub mod store;
pub mod views;
