//! The view of `status`: the scheme's days, recent files and mails, open exceptions, missing files, and jobs.

use std::collections::BTreeMap;

use anyhow::Result;
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;

use super::alerts::{self, ReceiverState};
use super::exceptions::Exception;
use super::files::{File, RowCounts};
use super::runs::{self, Daemon, JobRuns, Run};
use super::{Tally, by_name};
use crate::books::environment::Environment;
use crate::books::held_back;
use crate::domain::calendar::plus;
use crate::domain::intake::code::ExceptionCode;
use crate::store::files::Counts;
use crate::store::mails::MailStatus;
use crate::store::{Tx, exceptions, failed_intakes, files, fingerprints, instructions, mails, scheme};

#[derive(Debug, Serialize, JsonSchema)]
pub struct Status {
    /// The scheme's name.
    pub scheme: String,
    /// The open business day; before anything has run, the first one.
    pub business_date: NaiveDate,
    /// Whether the books have begun. Until then nothing else here says anything.
    pub begun: bool,
    pub last_sealed: Option<SealedDay>,
    pub proved: Proved,
    /// The first of the days on which files, rows and mails are counted; the last is the open day.
    pub since: NaiveDate,
    pub files: Vec<File>,
    pub rows: RowCounts,
    /// Mails by status.
    pub mails: Tally,
    /// Instructions that the bank has not answered, by direction.
    pub instructions_without_answer: Tally,
    /// Open exceptions by code.
    pub open_exceptions: Tally,
    /// Missing files and books that do not add up, the latest first, at most 20.
    pub urgent_exceptions: Vec<Exception>,
    /// Merchants for whom mails, notices, credit flags and debits are held back.
    pub held_back: Vec<HeldBack>,
    /// Whose files could not be taken in at the last run. The close leaves these merchants out of the seal.
    pub failed_intakes: Vec<FailedIntake>,
    /// Receivers of alerts and pings that did not take what they were sent last.
    pub silent_receivers: Vec<ReceiverState>,
    /// What the daemon last found wrong with the wall clock.
    pub clock: Option<Run>,
    /// The daemon that was seen last; null if none ever ran.
    pub daemon: Option<Daemon>,
    pub jobs: Vec<JobRuns>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct SealedDay {
    pub business_date: NaiveDate,
    /// 1 for the first sealed day.
    pub sequence: i64,
    pub seal: String,
    /// Whether its files are out.
    pub published: bool,
}

/// How far back everything was proved again.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Proved {
    /// Sealed days that were proved again.
    pub days: i64,
    pub days_not_proved: i64,
    /// Of the days that were proved, the close that proved the one longest ago.
    pub days_since: Option<NaiveDate>,
    /// The same, if every sealed day was proved.
    pub every_day_since: Option<NaiveDate>,
    /// Every order was decided again since this day; null if some were not yet.
    pub every_order_since: Option<NaiveDate>,
    /// Days that were sealed before rows were fingerprinted.
    pub days_fingerprinted_late: i64,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct HeldBack {
    pub merchant_id: String,
    pub missing_files: Vec<MissingFile>,
    /// Since when, and for which files, in words.
    pub message: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct MissingFile {
    pub feed: String,
    /// The date in its name.
    pub dated_on: NaiveDate,
    /// The business day on which it should have come.
    pub since: NaiveDate,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct FailedIntake {
    /// Null if it is about the files of the scheme: customers and agreements.
    pub merchant_id: Option<String>,
    /// The business day of the first run in a row that failed.
    pub since: NaiveDate,
    /// Why the last run failed.
    pub reason: String,
}

/// The number of days over which files and mails are counted, up to the open day.
pub const DAYS_BACK: i64 = 7;

/// How many urgent exceptions are listed.
const URGENT_SHOWN: i64 = 20;

/// The codes of exceptions that operations must handle today.
const URGENT: [ExceptionCode; 3] = [ExceptionCode::BooksBroken, ExceptionCode::FileGap, ExceptionCode::FileMissing];

impl Status {
    pub async fn load(tx: &mut Tx, environment: &Environment) -> Result<Status> {
        let days = scheme::days(tx).await?;
        let today = days.as_ref().map_or(environment.scheme.starts_on, |days| days.business_date);
        let since = plus(today, 1 - DAYS_BACK);
        let files = files::between(tx, since, today).await?;
        let mut rows = Counts::default();
        files.iter().for_each(|file| rows.add(&file.counts));
        let urgent = exceptions::open_with_code(tx, &URGENT, URGENT_SHOWN).await?;
        Ok(Status {
            scheme: environment.scheme.name.clone(),
            business_date: today,
            begun: days.is_some(),
            last_sealed: scheme::last_sealed(tx).await?.map(SealedDay::from),
            proved: Proved::load(tx).await?,
            since,
            files: files.into_iter().map(File::from).collect(),
            rows: rows.into(),
            mails: by_name(mails::counts(tx, since, today).await?, MailStatus::name),
            instructions_without_answer: without_answer(tx, environment).await?,
            open_exceptions: by_name(exceptions::count_open(tx).await?, ExceptionCode::name),
            urgent_exceptions: urgent.into_iter().map(|row| Exception::of(row, today)).collect(),
            held_back: if days.is_some() { held_back(tx, environment, today).await? } else { Vec::new() },
            failed_intakes: failed_intakes::all(tx).await?.into_iter().map(FailedIntake::from).collect(),
            silent_receivers: silent_receivers(tx, environment).await?,
            clock: runs::last_change_of_clock(tx).await?,
            daemon: Daemon::load(tx, &environment.store).await?,
            jobs: runs::of_jobs(tx, environment).await?,
        })
    }

    /// Whether the latest run of any job failed, or files could not be taken in.
    pub fn has_failures(&self) -> bool {
        let lasts = self.jobs.iter().filter_map(|job| job.last.as_ref()).chain(&self.clock);
        !self.failed_intakes.is_empty() || lasts.into_iter().any(|run| run.status == "failed")
    }
}

impl From<failed_intakes::FailedIntake> for FailedIntake {
    fn from(failed: failed_intakes::FailedIntake) -> FailedIntake {
        let failed_intakes::FailedIntake { owner, since, reason } = failed;
        FailedIntake { merchant_id: owner.merchant().map(str::to_owned), since, reason }
    }
}

impl From<scheme::SealedDay> for SealedDay {
    fn from(day: scheme::SealedDay) -> SealedDay {
        let scheme::SealedDay { business_date, sequence, seal, published, .. } = day;
        SealedDay { business_date, sequence, seal, published }
    }
}

async fn silent_receivers(tx: &mut Tx, environment: &Environment) -> Result<Vec<ReceiverState>> {
    let mut receivers = alerts::receivers(tx, &environment.scheme).await?;
    receivers.retain(|receiver| receiver.silent_since.is_some());
    Ok(receivers)
}

async fn without_answer(tx: &mut Tx, environment: &Environment) -> Result<Tally> {
    let mut unanswered = BTreeMap::new();
    for merchant in &environment.scheme.merchants {
        for (direction, count) in instructions::count_open(tx, &merchant.id).await? {
            *unanswered.entry(direction.name().to_owned()).or_default() += count;
        }
    }
    Ok(unanswered)
}

async fn held_back(tx: &mut Tx, environment: &Environment, today: NaiveDate) -> Result<Vec<HeldBack>> {
    let now = environment.now_of("watch_feeds", today);
    let mut held_back = Vec::new();
    for merchant in &environment.scheme.merchants {
        let files = held_back::missing_at(tx, environment, merchant, today, Some(now)).await?;
        let Some(message) = held_back::in_words(&files) else { continue };
        let missing_files = files.iter().map(|file| MissingFile {
            feed: file.feed.name.clone(),
            dated_on: file.dated_on,
            since: file.since,
        });
        held_back.push(HeldBack { merchant_id: merchant.id.clone(), missing_files: missing_files.collect(), message });
    }
    Ok(held_back)
}

impl Proved {
    async fn load(tx: &mut Tx) -> Result<Proved> {
        let days = fingerprints::last_proved(tx).await?;
        let rounds = fingerprints::rounds(tx).await?;
        let sealed = scheme::sealed_days(tx).await?.len();
        let not_proved = sealed.saturating_sub(days.len());
        let oldest = days.first().map(|oldest| oldest.proved_on);
        let orders: Option<Vec<NaiveDate>> = rounds.iter().map(|round| round.proved_on).collect();
        let late = days.iter().filter(|day| day.fingerprinted_on != day.business_date).count();
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        Ok(Proved {
            days: number(days.len()),
            days_not_proved: number(not_proved),
            days_since: oldest,
            every_day_since: oldest.filter(|_| not_proved == 0),
            every_order_since: orders.and_then(|orders| orders.into_iter().min()),
            days_fingerprinted_late: number(late),
        })
    }
}
