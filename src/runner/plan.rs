//! Plans runs: which due times of a job have come, and what becomes of those that were missed. Nothing here reads a clock or the
//! store, so the heartbeat, a start after a week and a clock that was set all plan alike.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use super::run::next_attempt;
use crate::domain::words::count;
use crate::scheme::{CatchUp, JobFile, Schedule};
use crate::store::runs::{NewRun, PausedJob, RunRow, RunStatus};

/// The most missed due times that are counted.
const MOST_COUNTED: usize = 1_000;

/// What has come due for a job.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Runs to record.
    pub new: Vec<NewRun>,
    /// Runs scheduled before this time have not begun and are skipped: a later time has come.
    pub skip_before: Option<DateTime<Utc>>,
}

/// Plans a job's runs up to `now`. `newest` is its latest attempt at its latest due time up to now, `cut_off` are its interrupted
/// runs that nobody has tried again.
pub fn plan(
    file: &JobFile,
    newest: Option<&RunRow>,
    cut_off: &[RunRow],
    paused: Option<&PausedJob>,
    today: NaiveDate,
    now: DateTime<Utc>,
) -> Plan {
    let Some(schedule) = file.schedule.as_ref().filter(|schedule| schedule.enabled) else { return Plan::default() };
    let last = newest.map(|newest| newest.scheduled_for);
    let came = came(file, schedule, last, now);
    let mut plan = new_times(file, schedule, &came, paused, today, now);
    if paused.is_some() {
        return plan;
    }
    let newest = newest.filter(|_| came.is_empty());
    let is_newest = |run: &RunRow| newest.is_some_and(|newest| newest.run_no == run.run_no);
    let again = cut_off
        .iter()
        .filter(|run| is_newest(run) || is_made_up_for(run, schedule, now))
        .map(|run| after_interruption(run, schedule, today, now));
    plan.new.extend(again);
    plan.new.extend(newest.and_then(|newest| again_by_right_clock(newest, schedule, today, now)));
    plan
}

/// The runs at the times that have come.
fn new_times(
    file: &JobFile,
    schedule: &Schedule,
    came: &[DateTime<Utc>],
    paused: Option<&PausedJob>,
    today: NaiveDate,
    now: DateTime<Utc>,
) -> Plan {
    let Some(latest) = came.last().copied() else { return Plan::default() };
    let run = |at: DateTime<Utc>, missed: usize| {
        let why = hindrance(schedule, paused, at, now);
        NewRun {
            job: file.name.clone(),
            scheduled_for: at,
            attempt: 1,
            business_date: today,
            status: if why.is_some() { RunStatus::Skipped } else { RunStatus::Due },
            not_before: at + jitter(&file.name, at, schedule.jitter),
            missed: i64::try_from(missed).unwrap_or(i64::MAX),
            outcome: why,
            asked_by: None,
        }
    };
    match schedule.catch_up {
        CatchUp::None | CatchUp::Last => Plan { new: vec![run(latest, came.len() - 1)], skip_before: Some(latest) },
        CatchUp::All => {
            let since = now - TimeDelta::from_std(schedule.catch_up_within).unwrap_or(TimeDelta::zero());
            let too_old = came.iter().filter(|at| **at < since).count().min(came.len() - 1);
            let made_up = came[too_old..].iter().enumerate();
            Plan { new: made_up.map(|(i, at)| run(*at, if i == 0 { too_old } else { 0 })).collect(), skip_before: None }
        }
    }
}

/// The due times after `last` up to `now`: all that are counted, and always the latest. Without a `last`, only the latest.
fn came(file: &JobFile, schedule: &Schedule, last: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let Some(latest) = file.latest_by(now) else { return Vec::new() };
    let Some(last) = last else { return vec![latest] };
    if last >= latest {
        return Vec::new();
    }
    let within = TimeDelta::from_std(schedule.catch_up_within).unwrap_or(TimeDelta::zero());
    let from = if schedule.catch_up == CatchUp::All { last.max(now - within - TimeDelta::days(1)) } else { last };
    let mut came = Vec::new();
    let mut at = from;
    while let Some(next) = file.next_after(at).filter(|next| *next < latest) {
        // A job that makes up for all of them needs each; for the others, the number is only for people.
        if schedule.catch_up != CatchUp::All && came.len() >= MOST_COUNTED {
            break;
        }
        came.push(next);
        at = next;
    }
    came.push(latest);
    came
}

/// Whether an interrupted run is tried again even if a later time has come. So is a backfilled one: somebody asked for each of them.
fn is_made_up_for(run: &RunRow, schedule: &Schedule, now: DateTime<Utc>) -> bool {
    let within = TimeDelta::from_std(schedule.catch_up_within).unwrap_or(TimeDelta::MAX);
    run.asked_by.is_some() || schedule.catch_up == CatchUp::All && now - run.scheduled_for <= within
}

/// The next attempt at a run that was interrupted.
fn after_interruption(run: &RunRow, schedule: &Schedule, today: NaiveDate, now: DateTime<Utc>) -> NewRun {
    // A run that ends its program each time must not do so every second.
    let wait = if run.attempt > 2 { schedule.retries.wait_after(run.attempt - 2) } else { Duration::ZERO };
    let since = run.finished_at.unwrap_or(now).min(now);
    next_attempt(run, today, since + TimeDelta::from_std(wait).unwrap_or(TimeDelta::zero()))
}

/// The next attempt at a run that did not succeed under a clock that was ahead and has been set back.
fn again_by_right_clock(newest: &RunRow, schedule: &Schedule, today: NaiveDate, now: DateTime<Utc>) -> Option<NewRun> {
    let was_ahead = newest.started_at.or(newest.finished_at).is_some_and(|at| at > now);
    let longest_wait = TimeDelta::from_std(schedule.retries.longest_wait + schedule.jitter).unwrap_or(TimeDelta::MAX);
    match newest.status {
        RunStatus::Failed | RunStatus::Skipped if was_ahead => Some(next_attempt(newest, today, now)),
        RunStatus::Due if newest.not_before - now > longest_wait => Some(next_attempt(newest, today, now)),
        RunStatus::Interrupted
        | RunStatus::Failed
        | RunStatus::Skipped
        | RunStatus::Due
        | RunStatus::Running
        | RunStatus::Done => None,
    }
}

/// Why a run is skipped.
pub fn hindrance(
    schedule: &Schedule,
    paused: Option<&PausedJob>,
    at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Option<String> {
    if let Some(paused) = paused {
        return Some(format!("the job was paused by {}: {}", paused.paused_by, paused.reason));
    }
    let deadline = schedule.deadline?;
    let late = (now - at).to_std().unwrap_or_default();
    (late > deadline).then(|| {
        let minutes = count(deadline.as_secs() / 60, "minute");
        format!("the run could not begin within {minutes} of its time; its next time takes its place")
    })
}

/// A wait that is always the same for a job and a time.
fn jitter(job: &str, at: DateTime<Utc>, at_most: Duration) -> TimeDelta {
    let hash = Sha256::digest(format!("{job} {}", at.timestamp()));
    let number = u64::from_be_bytes(hash[..8].try_into().unwrap_or_default());
    TimeDelta::seconds(i64::try_from(number % (at_most.as_secs() + 1)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::*;
    use crate::scheme::{Retries, Times};
    use crate::store::{Store, runs};

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn job(cron: &str, zone: Tz, catch_up: CatchUp) -> JobFile {
        let schedule = Schedule {
            times: Times::parse(cron).unwrap(),
            catch_up,
            catch_up_within: Duration::from_secs(30 * 86_400),
            deadline: (catch_up == CatchUp::None).then_some(Duration::from_secs(600)),
            time_limit: Duration::from_secs(3_600),
            retries: Retries {
                at_most: 3,
                first_wait: Duration::from_secs(60),
                longest_wait: Duration::from_secs(900),
            },
            jitter: Duration::from_secs(30),
            enabled: true,
        };
        JobFile { name: "close_day".into(), about: String::new(), schedule: Some(schedule), zone, after: Vec::new() }
    }

    /// A daemon without work: plans at an instant and ends every run that may begin. Returns the runs it made.
    async fn beat(store: &Store, file: &JobFile, now: DateTime<Utc>) -> Vec<DateTime<Utc>> {
        let today = now.date_naive();
        let mut tx = store.write().await.unwrap();
        let newest = runs::newest(&mut tx, &file.name, now).await.unwrap();
        let cut_off = runs::cut_off(&mut tx, &file.name, now).await.unwrap();
        let plan = plan(file, newest.as_ref(), &cut_off, None, today, now);
        if let Some(before) = plan.skip_before {
            runs::skip(&mut tx, &file.name, before, "later", now).await.unwrap();
        }
        for run in &plan.new {
            runs::add(&mut tx, run).await.unwrap();
        }
        let mut ran = Vec::new();
        for run in runs::due(&mut tx, now).await.unwrap() {
            assert!(runs::begin(&mut tx, run.run_no, today, now, "test").await.unwrap());
            let ended = runs::Ended { status: RunStatus::Done, outcome: "", counts: &runs::Counts::new() };
            runs::finish(&mut tx, run.run_no, &ended, now).await.unwrap();
            ran.push(run.scheduled_for);
        }
        tx.commit().await.unwrap();
        ran
    }

    async fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open("sqlite:paylater.db", folder.path()).await.unwrap();
        (folder, store)
    }

    /// Two years with both changes of daylight saving, a clock that goes back an hour and forth a day, and a week of downtime:
    /// every due time has exactly one run, in order.
    #[tokio::test]
    async fn every_due_time_of_two_years_has_one_run() {
        for zone in [chrono_tz::Asia::Shanghai, chrono_tz::Europe::London, chrono_tz::America::New_York] {
            let (_folder, store) = store().await;
            // 01:30 comes twice in London and New York in autumn, and 02:30 does not come in New York in spring.
            let file = job("0 30 1,2,12 * * *", zone, CatchUp::All);
            let (start, end) = (at("2026-01-01T00:00:00Z"), at("2028-01-01T00:00:00Z"));
            let mut now = start;
            let mut ran = Vec::new();
            let mut beats = 0;
            beat(&store, &file, start).await;
            while now < end {
                beats += 1;
                now += match beats {
                    // Downtime of a week, and the hour that the clock is set back.
                    700 => TimeDelta::days(7),
                    900 => TimeDelta::hours(-1),
                    _ => TimeDelta::minutes(i64::from(beats % 7) * 37 + 1),
                };
                if beats == 1_100 {
                    // The clock is a day ahead for a while, and is set right.
                    ran.extend(beat(&store, &file, now + TimeDelta::days(1)).await);
                }
                ran.extend(beat(&store, &file, now).await);
            }
            let mut expected = Vec::new();
            let mut last = file.latest_by(start).unwrap();
            while let Some(next) = file.next_after(last).filter(|next| *next <= now - TimeDelta::minutes(1)) {
                expected.push(next);
                last = next;
            }
            assert!(ran.is_sorted(), "{zone}: not in order");
            assert_eq!(ran, expected, "{zone}");
            assert!(expected.len() > 2_000);
        }
    }

    #[tokio::test]
    async fn the_last_or_none_of_the_missed_runs_is_made_up_for() {
        let (_folder, store) = store().await;
        let mut file = job("0 */10 * * * *", chrono_tz::UTC, CatchUp::Last);
        file.schedule.as_mut().unwrap().jitter = Duration::ZERO;
        assert_eq!(beat(&store, &file, at("2026-03-01T10:00:05Z")).await, [at("2026-03-01T10:00:00Z")]);
        assert!(beat(&store, &file, at("2026-03-01T10:09:59Z")).await.is_empty());
        assert_eq!(beat(&store, &file, at("2026-03-01T13:04:00Z")).await, [at("2026-03-01T13:00:00Z")]);
        let mut tx = store.read().await.unwrap();
        let last = runs::newest(&mut tx, "close_day", at("2026-03-01T13:04:00Z")).await.unwrap().unwrap();
        assert_eq!(last.missed, 17);
        drop(tx);

        let mut file = job("0 0 */6 * * *", chrono_tz::UTC, CatchUp::None);
        file.name = "send_reminders".into();
        file.schedule.as_mut().unwrap().jitter = Duration::ZERO;
        assert_eq!(beat(&store, &file, at("2026-03-01T12:09:00Z")).await, [at("2026-03-01T12:00:00Z")]);
        assert!(beat(&store, &file, at("2026-03-01T18:11:00Z")).await.is_empty());
        let mut tx = store.read().await.unwrap();
        let skipped = runs::newest(&mut tx, "send_reminders", at("2026-03-01T18:11:00Z")).await.unwrap().unwrap();
        assert_eq!(skipped.status, RunStatus::Skipped);
        assert!(skipped.outcome.unwrap().contains("within 10 minutes"));
    }

    /// On the 9th the clock showed the 10th, the close that seemed to be due failed, and the clock was set right.
    #[tokio::test]
    async fn what_failed_by_a_clock_that_was_ahead_is_due_at_its_time() {
        let (_folder, store) = store().await;
        let mut file = job("0 30 0 * * *", chrono_tz::UTC, CatchUp::Last);
        file.schedule.as_mut().unwrap().jitter = Duration::ZERO;
        beat(&store, &file, at("2026-03-09T10:00:00Z")).await;
        let ahead = at("2026-03-10T10:35:00Z");
        let mut tx = store.write().await.unwrap();
        let newest = runs::newest(&mut tx, "close_day", ahead).await.unwrap();
        let plan = plan(&file, newest.as_ref(), &[], None, ahead.date_naive(), ahead);
        let run_no = runs::add(&mut tx, &plan.new[0]).await.unwrap().unwrap();
        runs::begin(&mut tx, run_no, ahead.date_naive(), ahead, "test").await.unwrap();
        let ended = runs::Ended { status: RunStatus::Failed, outcome: "", counts: &runs::Counts::new() };
        runs::finish(&mut tx, run_no, &ended, ahead).await.unwrap();
        tx.commit().await.unwrap();
        assert!(beat(&store, &file, at("2026-03-09T10:56:00Z")).await.is_empty());
        assert_eq!(beat(&store, &file, at("2026-03-10T00:30:01Z")).await, [at("2026-03-10T00:30:00Z")]);
        assert!(beat(&store, &file, at("2026-03-10T00:30:02Z")).await.is_empty());
    }

    /// The program ends during the runs of 10:00 and of a backfilled time, and starts again after 10:10.
    #[tokio::test]
    async fn interrupted_runs_are_made_up_for_where_each_counts() {
        for (catch_up, made_up) in [(CatchUp::All, true), (CatchUp::Last, false)] {
            let (_folder, store) = store().await;
            let mut file = job("0 */10 * * * *", chrono_tz::UTC, catch_up);
            file.schedule.as_mut().unwrap().jitter = Duration::ZERO;
            let (first, backfilled) = (at("2026-03-01T10:00:00Z"), at("2026-02-01T10:00:00Z"));
            beat(&store, &file, at("2026-03-01T09:50:01Z")).await;
            let mut tx = store.write().await.unwrap();
            for (scheduled_for, asked_by) in [
                (first, None),
                (backfilled, Some("Li".to_owned())),
                // By hand, which the person sees.
                (first + TimeDelta::microseconds(1), Some("Li".to_owned())),
            ] {
                let run = NewRun {
                    job: file.name.clone(),
                    scheduled_for,
                    attempt: 1,
                    business_date: first.date_naive(),
                    status: RunStatus::Due,
                    not_before: scheduled_for,
                    missed: 0,
                    outcome: None,
                    asked_by,
                };
                let run_no = runs::add(&mut tx, &run).await.unwrap().unwrap();
                runs::begin(&mut tx, run_no, first.date_naive(), first, "test").await.unwrap();
            }
            runs::interrupt(&mut tx, &[&file.name], at("2026-03-01T10:11:00Z")).await.unwrap();
            tx.commit().await.unwrap();
            let mut ran = beat(&store, &file, at("2026-03-01T10:11:00Z")).await;
            ran.sort_unstable();
            let mut expected = vec![backfilled, first, at("2026-03-01T10:10:00Z")];
            expected.retain(|at| made_up || *at != first);
            assert_eq!(ran, expected, "{catch_up:?}");
            assert!(beat(&store, &file, at("2026-03-01T10:11:01Z")).await.is_empty());
        }
    }

    #[test]
    fn waits_between_retries_double_up_to_a_limit() {
        let retries =
            Retries { at_most: 20, first_wait: Duration::from_secs(60), longest_wait: Duration::from_secs(900) };
        let waits: Vec<u64> = (1..=7).map(|attempt| retries.wait_after(attempt).as_secs()).collect();
        assert_eq!(waits, [60, 120, 240, 480, 900, 900, 900]);
        assert_eq!(retries.wait_after(1_000).as_secs(), 900);
    }
}
