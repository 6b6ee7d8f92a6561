//! `paylater close`: the main job.

use anyhow::Result;
use chrono::NaiveDate;
use serde_json::json;

use super::Ending;
use super::open::At;
use crate::domain::calendar::plus;
use crate::jobs::{Scheme, business_day};
use crate::store::inputs::Counts;
use crate::store::scheme::Happened;
use crate::store::{exceptions, inputs, mails, scheme};

#[derive(clap::Args)]
pub struct Close {
    /// The last day to close, such as 2026-03-31. On the wall clock, no day that is not over.
    #[arg(long, value_name = "DATE")]
    through: NaiveDate,
}

impl Close {
    pub async fn run(self, at: &At) -> Result<Ending> {
        let work = at.work().await?;
        let closed = business_day::close_through(&work.scheme, self.through, |_| ()).await;
        work.progress.finish();
        let days = closed?;
        let (Some(first), Some(last)) = (days.first(), days.last()) else {
            let open = work.scheme.business_date().await?;
            if at.json {
                println!("{}", json!({ "days": 0, "business_date": open }));
            } else {
                println!("Nothing to do: every day through {} is closed; the open day is {open}.", self.through);
            }
            return Ok(Ending::Done);
        };
        let summary = Summary::load(&work.scheme, *first, *last, days.len()).await?;
        if at.json {
            println!("{}", summary.json())
        } else {
            summary.print(at)
        }
        work.scheme.store.close().await;
        Ok(Ending::Done)
    }
}

/// What the closed days came to.
struct Summary {
    first: NaiveDate,
    last: NaiveDate,
    days: usize,
    files: Vec<(String, i64)>,
    counts: Counts,
    happened: Happened,
    mails: Vec<(String, i64)>,
    exceptions: Vec<(String, i64)>,
    reconciliation: String,
}

impl Summary {
    async fn load(scheme: &Scheme, first: NaiveDate, last: NaiveDate, days: usize) -> Result<Summary> {
        let mut tx = scheme.store.read().await?;
        let mut files = std::collections::BTreeMap::new();
        let mut counts = Counts::default();
        for file in inputs::files_between(&mut tx, first, last).await? {
            *files.entry(file.status).or_insert(0) += 1;
            counts.add(&file.counts);
        }
        Ok(Summary {
            first,
            last,
            days,
            files: files.into_iter().collect(),
            counts,
            happened: scheme::happened(&mut tx, first, last).await?,
            mails: mails::counts(&mut tx, first, last).await?,
            exceptions: exceptions::count_open(&mut tx).await?,
            reconciliation: scheme.config.home.join("reconciliation").display().to_string(),
        })
    }

    fn json(&self) -> serde_json::Value {
        let map = |pairs: &[(String, i64)]| pairs.iter().cloned().collect::<std::collections::BTreeMap<_, _>>();
        json!({
            "days": self.days, "first": self.first, "last": self.last, "business_date": plus(self.last, 1),
            "files": map(&self.files), "rows": self.counts,
            "orders": { "accepted": self.happened.orders_accepted, "declined": self.happened.orders_declined },
            "facts": map(&self.happened.facts), "credit_steps": map(&self.happened.credit_steps),
            "late_fees": self.late_fees(), "mails": map(&self.mails), "open_exceptions": map(&self.exceptions),
            "reconciliation": self.reconciliation,
        })
    }

    fn late_fees(&self) -> Vec<String> {
        let fee = |(currency, minor): &(crate::domain::money::Currency, i64)| {
            format!("{} {currency}", currency.plain(*minor))
        };
        self.happened.late_fees.iter().map(fee).collect()
    }

    fn print(&self, at: &At) {
        let c = &self.counts;
        let fact =
            |kind: &str| self.happened.facts.iter().find(|(name, _)| name == kind).map_or(0, |(_, count)| *count);
        let days = format!("{} ({} to {})", self.days, self.first, self.last);
        let rows = format!(
            "{}: {} accepted, {} declined, {} duplicate, {} conflict, {} pending, {} rejected",
            c.rows, c.accepted, c.declined, c.duplicate, c.conflict, c.pending, c.rejected
        );
        let orders = format!("{} accepted, {} declined", self.happened.orders_accepted, self.happened.orders_declined);
        let money = format!("{} payments, {} refunds", fact("payment"), fact("refund"));
        let others = format!("{} extensions, {} holds, {} waivers", fact("extension"), fact("hold"), fact("waiver"));
        let fees = self.late_fees().join(", ");
        let rows = [
            ("days closed", days),
            ("files", listed(&self.files)),
            ("rows", rows),
            ("orders", orders),
            ("money", money),
            ("and", others),
            ("late fees", if fees.is_empty() { "none".to_owned() } else { fees }),
            ("mails", listed(&self.mails)),
            ("credit record", listed(&self.happened.credit_steps)),
            ("open exceptions", listed(&self.exceptions)),
            ("reconciliation", self.reconciliation.clone()),
        ];
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::UTF8_BORDERS_ONLY);
        table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic).set_width(110);
        for (name, value) in rows {
            table.add_row([name.to_owned(), value]);
        }
        println!("{table}");
        let config = at.config.as_ref().map(|path| format!(" --config {}", path.display())).unwrap_or_default();
        println!("Look next: paylater{config} status");
        println!("           paylater{config} explain ORDER");
    }
}

pub fn listed(pairs: &[(String, i64)]) -> String {
    let listed: Vec<String> = pairs.iter().map(|(name, count)| format!("{count} {name}")).collect();
    if listed.is_empty() { "none".to_owned() } else { listed.join(", ") }
}
