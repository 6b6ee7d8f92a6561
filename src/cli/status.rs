//! `paylater status`: where the scheme stands.

use std::collections::BTreeMap;

use anyhow::Result;
use chrono::{DateTime, NaiveDate, Utc};
use serde_json::json;

use super::Ending;
use super::close::listed;
use super::open::At;
use super::say;
use crate::books::held_back;
use crate::clock;
use crate::domain::calendar::plus;
use crate::store::files::Counts;
use crate::store::{Tx, exceptions, files, fingerprints, instructions, mails, runs, scheme};

#[derive(clap::Args)]
pub struct Status {}

/// How many days back files and mails are counted.
const DAYS_BACK: i64 = 7;

/// How many missing files are named, the latest first.
const MISSING_SHOWN: i64 = 20;

impl Status {
    pub async fn run(self, at: &At) -> Result<Ending> {
        let environment = at.look().await?;
        let mut tx = environment.store.read().await?;
        let Some(days) = scheme::days(&mut tx).await? else {
            let starts_on = environment.scheme.starts_on;
            if at.json {
                say!("{}", json!({ "business_date": starts_on, "begun": false }));
            } else {
                say!("Nothing has run yet. The first business day is {starts_on}.");
            }
            return Ok(Ending::Done);
        };
        let today = days.business_date;
        let since = plus(today, 1 - DAYS_BACK);
        let sealed = scheme::last_sealed(&mut tx).await?;
        let proved = Proved::load(&mut tx).await?;
        let latest = runs::latest(&mut tx).await?;
        let files = files::between(&mut tx, since, today).await?;
        let mails = mails::counts(&mut tx, since, today).await?;
        let open = exceptions::count_open(&mut tx).await?;
        let missing =
            exceptions::open_with_code(&mut tx, &["BOOKS_BROKEN", "FILE_GAP", "FILE_MISSING"], MISSING_SHOWN).await?;
        let held_back =
            held_back::missing_at(&mut tx, &environment, today, Some(environment.now_of("watch_feeds", today))).await?;
        let held_back: BTreeMap<&str, String> = held_back
            .iter()
            .filter_map(|(merchant, missing)| Some((*merchant, held_back::in_words(missing)?)))
            .collect();
        let mut unanswered: BTreeMap<String, i64> = BTreeMap::new();
        for merchant in &environment.scheme.merchants {
            for (direction, count) in instructions::count_open(&mut tx, &merchant.id).await? {
                *unanswered.entry(direction).or_default() += count;
            }
        }
        let failed = latest.iter().any(|run| run.status == "failed");
        let zone = environment.scheme.zone;
        let shown = |at: DateTime<Utc>| at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string();

        if at.json {
            let jobs: Vec<_> = environment
                .scheme
                .jobs
                .iter()
                .map(|job| {
                    let last = latest.iter().find(|run| run.job == job.name);
                    json!({
                        "job": job.name, "next": job.next_after(clock::now()),
                        "last": last.map(|run| json!({
                            "business_date": run.business_date, "status": run.status, "outcome": run.outcome,
                            "started_at": run.started_at, "finished_at": run.finished_at,
                        })),
                    })
                })
                .collect();
            let files: Vec<_> = files
                .iter()
                .map(|file| {
                    json!({ "name": file.name, "feed": file.feed, "business_date": file.business_date,
                                    "status": file.status, "code": file.code, "rows": file.counts })
                })
                .collect();
            let sealed = sealed.map(|day| {
                json!({ "business_date": day.business_date, "sequence": day.sequence,
                                                  "seal": day.seal, "published": day.published })
            });
            let status = json!({ "business_date": today, "begun": true, "last_sealed": sealed, "proved": proved.json(),
                                 "jobs": jobs, "files": files,
                                 "mails": mails.into_iter().collect::<BTreeMap<_, _>>(),
                                 "clock": latest.iter().find(|run| run.job == "clock").map(|run| json!({
                                     "at": run.finished_at, "status": run.status, "outcome": run.outcome })),
                                 "instructions_without_answer": unanswered, "held_back": held_back,
                                 "open_exceptions": open.into_iter().collect::<BTreeMap<_, _>>(),
                                 "missing_files": missing.iter().map(|e| json!({ "opened_on": e.opened_on, "code": e.code,
                                     "merchant_id": e.merchant_id, "message": e.message })).collect::<Vec<_>>() });
            say!("{}", serde_json::to_string_pretty(&status)?);
            return Ok(if failed { Ending::Failures } else { Ending::Done });
        }

        say!("{}", environment.scheme.name);
        say!("open business date  {today}");
        match sealed {
            Some(day) => say!(
                "last sealed day     {} (no. {}, seal {}…{})",
                day.business_date,
                day.sequence,
                &day.seal[..12],
                if day.published { "" } else { ", files not out yet" }
            ),
            None => say!("last sealed day     none"),
        }
        say!("proved again        {}", proved.in_words());
        let mut by_status = BTreeMap::new();
        for file in &files {
            *by_status.entry(file.status.clone()).or_insert(0) += 1;
        }
        say!("files in {DAYS_BACK} days     {}", listed(&by_status.into_iter().collect::<Vec<_>>()));
        let mut counts = Counts::default();
        files.iter().for_each(|file| counts.add(&file.counts));
        say!(
            "rows in {DAYS_BACK} days      {}: {} accepted, {} declined, {} duplicate, {} conflict, {} pending, {} rejected",
            counts.rows,
            counts.accepted,
            counts.declined,
            counts.duplicate,
            counts.conflict,
            counts.pending,
            counts.rejected
        );
        for file in files.iter().filter(|file| file.status != "taken" || file.code.is_some()) {
            say!(
                "                    {} {}: {}",
                file.business_date,
                file.name,
                file.message.as_deref().unwrap_or(&file.status)
            );
        }
        say!("mails in {DAYS_BACK} days     {}", listed(&mails));
        say!("bank not answered   {}", listed(&unanswered.into_iter().collect::<Vec<_>>()));
        say!("open exceptions     {}", listed(&open));
        for missing in &missing {
            say!("                    {}: {}", missing.opened_on, missing.message);
        }
        for (merchant, words) in &held_back {
            say!("held back           {merchant}: {words}");
        }
        for clock in latest.iter().filter(|run| run.job == "clock") {
            let (at, words) = (clock.finished_at.map(shown), clock.outcome.as_deref());
            say!("clock               {}: {}", at.unwrap_or_default(), words.unwrap_or_default());
        }
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::UTF8_BORDERS_ONLY);
        table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic).set_width(110);
        table.set_header(["job", "last run for", "ended", "did", "next"]);
        for job in &environment.scheme.jobs {
            let last = latest.iter().find(|run| run.job == job.name);
            table.add_row([
                job.name.clone(),
                last.map(|run| run.business_date.to_string()).unwrap_or_default(),
                last.map(|run| run.finished_at.map_or_else(|| run.status.clone(), shown)).unwrap_or_default(),
                last.and_then(|run| run.outcome.clone()).unwrap_or_default(),
                job.next_after(clock::now()).map(shown).unwrap_or_default(),
            ]);
        }
        say!("{table}");
        Ok(if failed { Ending::Failures } else { Ending::Done })
    }
}

/// How far back everything is proved.
struct Proved {
    sealed: usize,
    /// Of the days that closes have proved, the one longest ago, and when.
    oldest: Option<fingerprints::Proved>,
    known: usize,
    /// Days whose rows were fingerprinted after their seal.
    late: usize,
    /// Merchants, and those of which every order was decided again, with the day since which that is so.
    merchants: usize,
    orders: Vec<NaiveDate>,
}

impl Proved {
    async fn load(tx: &mut Tx) -> Result<Proved> {
        let days = fingerprints::last_proved(tx).await?;
        let rounds = fingerprints::rounds(tx).await?;
        Ok(Proved {
            sealed: scheme::sealed_days(tx).await?.len(),
            oldest: days.first().copied(),
            known: days.len(),
            late: days.iter().filter(|day| day.fingerprinted_on != day.business_date).count(),
            merchants: rounds.len(),
            orders: rounds.iter().filter_map(|round| round.proved_on).collect(),
        })
    }

    fn in_words(&self) -> String {
        let Some(oldest) = self.oldest else { return "nothing yet".to_owned() };
        let mut words = match self.sealed.saturating_sub(self.known) {
            0 => format!("every sealed day, by the close of {} or later", oldest.proved_on),
            unknown => {
                format!("{} sealed days, by the close of {} or later; {unknown} not yet", self.known, oldest.proved_on)
            }
        };
        match self.orders.iter().min() {
            Some(since) if self.orders.len() == self.merchants => {
                words.push_str(&format!("; every order since {since}"))
            }
            _ => words.push_str("; not every order yet"),
        }
        if self.late > 0 {
            words.push_str(&format!("; {} days were sealed before rows were fingerprinted", self.late));
        }
        words
    }

    fn json(&self) -> serde_json::Value {
        let orders = self.orders.iter().min().filter(|_| self.orders.len() == self.merchants);
        json!({ "every_day_since": self.oldest.filter(|_| self.known == self.sealed).map(|oldest| oldest.proved_on),
                "days_not_proved": self.sealed.saturating_sub(self.known), "days_fingerprinted_late": self.late,
                "every_order_since": orders })
    }
}
