//! `paylater close`: closes business days.

use anyhow::{Result, anyhow};
use chrono::NaiveDate;

use super::alerts::Told;
use super::open::At;
use super::status::listed;
use super::table::print_box;
use super::{Ending, Misconfigured, json, say};
use crate::clock;
use crate::domain::words::count;
use crate::jobs::Job;
use crate::runner::business_day;
use crate::scheme::Clock;
use crate::store::Lane;
use crate::views::closed_days::{ClosedDays, OrderName};

#[derive(clap::Args)]
pub struct Close {
    /// The last day to close, such as 2026-03-31. On the wall clock, yesterday at the latest.
    #[arg(long, value_name = "DATE")]
    through: NaiveDate,
}

impl Close {
    pub async fn run(self, at: &At) -> Result<Ending> {
        // On the business clock, the day's mails are sent before its close.
        let lanes: &[Lane] = match at.load_config()?.clock {
            Clock::Wall => &[Lane::Books],
            Clock::Business => &Lane::ALL,
        };
        let work = at.work(lanes, "close").await?;
        let wall = clock::now().with_timezone(&work.environment.scheme.zone).date_naive();
        if work.environment.scheme.clock == Clock::Wall && self.through >= wall {
            let why = anyhow!(
                "{} is not over yet; on the wall clock the last day that can be closed is yesterday",
                self.through
            );
            return Err(Misconfigured(why).into());
        }
        let told = Told::begin(&work.environment, Some(Job::CloseDay));
        let closed = business_day::close_through(&work.environment, self.through).await;
        work.progress.finish();
        let environment = work.give_back().await;
        told.end(closed.is_ok()).await;
        let days = closed?;
        let mut tx = environment.store.read().await?;
        let closed = ClosedDays::load(&mut tx, &environment, &days).await?;
        drop(tx);
        if at.json {
            json::print(&closed)?;
        } else if closed.days == 0 {
            let (through, open) = (self.through, closed.business_date);
            say!("Nothing to do: every day through {through} is closed; the open day is {open}.");
        } else {
            print(&closed);
            print_next(at, closed.example.as_ref());
        }
        environment.store.close().await;
        Ok(Ending::Done)
    }
}

fn print(closed: &ClosedDays) {
    let of = |kind: &str| closed.rows_by_kind.get(kind).copied().unwrap_or_default();
    let days = match (closed.first, closed.last) {
        (Some(first), Some(last)) => format!("{} ({first} to {last})", closed.days),
        _ => closed.days.to_string(),
    };
    let bills = match of("bills").accepted {
        0 => String::new(),
        bills => format!(", {bills} of either in bills"),
    };
    let (payments, refunds) = (count(of("payments").accepted, "payment"), count(of("refunds").accepted, "refund"));
    let [extensions, holds, waivers] = [("extensions", "extension"), ("holds", "hold"), ("waivers", "waiver")]
        .map(|(kind, one)| count(of(kind).accepted, one));
    let fees: Vec<String> = closed.late_fees.iter().map(ToString::to_string).collect();
    let rows = [
        ("days closed", days),
        ("files", listed(&closed.files)),
        ("rows", format!("{}: {}", closed.rows.rows, closed.rows)),
        ("orders", format!("{} accepted, {} declined", of("orders").accepted, of("orders").declined)),
        ("money", format!("{payments}, {refunds}{bills}")),
        ("and", format!("{extensions}, {holds}, {waivers}")),
        ("late fees", if fees.is_empty() { "none".to_owned() } else { fees.join(", ") }),
        ("mails", listed(&closed.mails)),
        ("credit record", listed(&closed.credit_steps)),
        ("open exceptions", listed(&closed.open_exceptions)),
        ("reconciliation", closed.reconciliation.clone()),
    ];
    print_box(&[], rows.map(|(name, value)| vec![name.to_owned(), value]));
}

/// Prints the next commands to try. The lines are not wrapped, so that a person can copy them.
fn print_next(at: &At, example: Option<&OrderName>) {
    let config = at.config.as_ref().map(|path| format!(" --config {}", path.display())).unwrap_or_default();
    say!("Look next:");
    say!("  paylater{config} status");
    if let Some(OrderName { merchant_id, order_id }) = example {
        say!("  paylater{config} explain {order_id} --merchant {merchant_id}");
    }
}
