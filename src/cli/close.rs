//! `paylater close`: the main job.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};
use chrono::NaiveDate;
use serde_json::json;

use super::open::At;
use super::say;
use super::{Ending, Misconfigured};
use crate::books::environment::Environment;
use crate::clock;
use crate::domain::calendar::plus;
use crate::runner::business_day;
use crate::scheme::Clock;
use crate::store::files::Counts;
use crate::store::scheme::Happened;
use crate::store::{exceptions, files, mails, scheme};

#[derive(clap::Args)]
pub struct Close {
    /// The last day to close, such as 2026-03-31. On the wall clock, no day that is not over.
    #[arg(long, value_name = "DATE")]
    through: NaiveDate,
}

impl Close {
    pub async fn run(self, at: &At) -> Result<Ending> {
        let work = at.work().await?;
        let wall = clock::now().with_timezone(&work.environment.scheme.zone).date_naive();
        if work.environment.scheme.clock == Clock::Wall && self.through >= wall {
            let why = anyhow!(
                "{} is not over yet; on the wall clock the last day that can be closed is yesterday",
                self.through
            );
            return Err(Misconfigured(why).into());
        }
        let closed = business_day::close_through(&work.environment, self.through).await;
        work.progress.finish();
        let days = closed?;
        let (Some(first), Some(last)) = (days.first(), days.last()) else {
            let open = work.environment.business_date().await?;
            if at.json {
                say!("{}", json!({ "days": 0, "business_date": open }));
            } else {
                say!("Nothing to do: every day through {} is closed; the open day is {open}.", self.through);
            }
            return Ok(Ending::Done);
        };
        let summary = Summary::load(&work.environment, *first, *last, days.len()).await?;
        if at.json {
            say!("{}", summary.json())
        } else {
            summary.print(at)
        }
        work.environment.store.close().await;
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
    /// Rows by kind of file.
    by_kind: BTreeMap<String, Counts>,
    happened: Happened,
    mails: Vec<(String, i64)>,
    exceptions: Vec<(String, i64)>,
    reconciliation: String,
}

impl Summary {
    async fn load(environment: &Environment, first: NaiveDate, last: NaiveDate, days: usize) -> Result<Summary> {
        let mut tx = environment.store.read().await?;
        let mut files = BTreeMap::new();
        let mut counts = Counts::default();
        let mut by_kind: BTreeMap<String, Counts> = BTreeMap::new();
        for file in files::between(&mut tx, first, last).await? {
            *files.entry(file.status).or_insert(0) += 1;
            counts.add(&file.counts);
            by_kind.entry(file.kind).or_default().add(&file.counts);
        }
        Ok(Summary {
            first,
            last,
            days,
            files: files.into_iter().collect(),
            counts,
            by_kind,
            happened: scheme::happened(&mut tx, first, last).await?,
            mails: mails::counts(&mut tx, first, last).await?,
            exceptions: exceptions::count_open(&mut tx).await?,
            reconciliation: environment.scheme.home.reconciliation().display().to_string(),
        })
    }

    fn json(&self) -> serde_json::Value {
        let map = |pairs: &[(String, i64)]| pairs.iter().cloned().collect::<BTreeMap<_, _>>();
        json!({
            "days": self.days, "first": self.first, "last": self.last, "business_date": plus(self.last, 1),
            "files": map(&self.files), "rows": self.counts,
            "by_kind": self.by_kind, "credit_steps": map(&self.happened.credit_steps),
            "late_fees": self.late_fees(), "mails": map(&self.mails), "open_exceptions": map(&self.exceptions),
            "reconciliation": self.reconciliation,
        })
    }

    fn late_fees(&self) -> Vec<String> {
        let fee = |(currency, minor): &(crate::domain::money::Currency, i64)| {
            format!("{} {currency}", currency.plain(*minor))
        };
        self.happened.late_fees.iter().filter(|(_, minor)| *minor != 0).map(fee).collect()
    }

    fn print(&self, at: &At) {
        let c = &self.counts;
        let of = |kind: &str| self.by_kind.get(kind).copied().unwrap_or_default();
        let days = format!("{} ({} to {})", self.days, self.first, self.last);
        let rows = format!(
            "{}: {} accepted, {} declined, {} duplicate, {} conflict, {} pending, {} rejected",
            c.rows, c.accepted, c.declined, c.duplicate, c.conflict, c.pending, c.rejected
        );
        let orders = format!("{} accepted, {} declined", of("orders").accepted, of("orders").declined);
        let bills = of("bills").accepted;
        let bills = if bills > 0 { format!(", {bills} of either in bills") } else { String::new() };
        let money = format!("{} payments, {} refunds{bills}", of("payments").accepted, of("refunds").accepted);
        let others = format!(
            "{} extensions, {} holds, {} waivers",
            of("extensions").accepted,
            of("holds").accepted,
            of("waivers").accepted
        );
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
        say!("{table}");
        let config = at.config.as_ref().map(|path| format!(" --config {}", path.display())).unwrap_or_default();
        say!("Look next: paylater{config} status");
        say!("           paylater{config} explain ORDER");
    }
}

pub fn listed(pairs: &[(String, i64)]) -> String {
    let listed: Vec<String> = pairs.iter().map(|(name, count)| format!("{count} {name}")).collect();
    if listed.is_empty() { "none".to_owned() } else { listed.join(", ") }
}
