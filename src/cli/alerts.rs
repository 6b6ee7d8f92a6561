//! `paylater alerts`, and how other commands tell operations and monitoring: beside the daemon, and at the end of a command.

use std::sync::{Mutex, PoisonError};

use anyhow::{Result, anyhow};
use tokio::task::JoinHandle;

use super::open::{At, mail};
use super::table::print_box;
use super::{Ending, Misconfigured, json, say};
use crate::alerts::{Alerts, receivers};
use crate::books::environment::Environment;
use crate::jobs::Job;
use crate::runner::pings::{COMMAND_WAITS, Calls, Pings};
use crate::views::alerts::{AlertList, ReceiverState};

#[derive(clap::Args)]
pub struct AlertsCommand {
    /// Send each receiver of alerts a test message. Pings are not tested: they would say that a job ran.
    #[arg(long)]
    test: bool,
}

impl AlertsCommand {
    pub async fn run(self, at: &At) -> Result<Ending> {
        if !self.test {
            let environment = at.look().await?;
            let mut tx = environment.store.read().await?;
            let list = AlertList::load(&mut tx, &environment.scheme).await?;
            return show(at, &environment, &list);
        }
        let environment = at.serve().await?.environment;
        if environment.scheme.alerts.is_empty() {
            let why = anyhow!("the configuration names nobody who gets alerts; see [alerts] in docs/configuration.md");
            return Err(Misconfigured(why).into());
        }
        let alerts = of(&environment)?;
        let mut answers = Vec::new();
        for receiver in receivers(&environment.scheme.alerts) {
            answers.push((receiver.name.clone(), alerts.test(&receiver).await));
        }
        let mut tx = environment.store.read().await?;
        let mut list = AlertList::load(&mut tx, &environment.scheme).await?;
        drop(tx);
        for (name, answer) in answers {
            let is_it = |state: &&mut ReceiverState| state.receiver == name;
            let Some(state) = list.receivers.iter_mut().find(is_it) else { continue };
            state.took_test = Some(answer.is_ok());
            state.reason = answer.err();
        }
        show(at, &environment, &list)
    }
}

fn show(at: &At, environment: &Environment, list: &AlertList) -> Result<Ending> {
    let has_failed = list.receivers.iter().any(|receiver| receiver.took_test == Some(false));
    let ending = if has_failed { Ending::Failures } else { Ending::Done };
    if at.json {
        json::print(list)?;
        return Ok(ending);
    }
    let zone = environment.scheme.zone;
    if list.alerts.is_empty() {
        say!("No alert is open.");
    } else {
        let rows = list.alerts.iter().map(|alert| {
            let since = alert.began_at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string();
            vec![alert.code.clone(), alert.about.clone(), since, alert.message.clone()]
        });
        print_box(&["alert", "about", "since", "message"], rows);
    }
    if list.receivers.is_empty() {
        say!("Nobody gets alerts, and no URL is pinged.");
    } else {
        print_box(
            &["receiver", "state"],
            list.receivers.iter().map(|state| vec![state.receiver.clone(), state_of(state)]),
        );
    }
    Ok(ending)
}

fn state_of(state: &ReceiverState) -> String {
    match (state.took_test, &state.reason) {
        (Some(true), _) => "took the test".to_owned(),
        (Some(false), Some(why)) => format!("did not take the test: {why}"),
        (_, Some(why)) => format!("has not taken what it was sent: {why}"),
        (_, None) => "no trouble known".to_owned(),
    }
}

fn of(environment: &Environment) -> Result<Alerts> {
    let (transport, _, sender) = mail(&environment.scheme)?;
    Ok(Alerts::new(environment.clone(), transport, sender))
}

/// The alerts beside the daemon.
pub struct Beside(Mutex<Option<JoinHandle<()>>>);

impl Beside {
    /// Begins to watch, if anybody gets alerts.
    pub fn begin(environment: &Environment) -> Result<Beside> {
        let beside = Beside(Mutex::default());
        beside.reload(environment)?;
        Ok(beside)
    }

    /// Watches with another configuration from now on.
    pub fn reload(&self, environment: &Environment) -> Result<()> {
        let watching =
            if environment.scheme.alerts.is_empty() { None } else { Some(tokio::spawn(of(environment)?.watch())) };
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = std::mem::replace(&mut *current, watching) {
            before.abort();
        }
        Ok(())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let current = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(watching) = current.take() {
            watching.abort();
        }
    }
}

/// Tells monitoring of a command that does a job's work, and operations what is wrong after it.
pub struct Told {
    environment: Environment,
    /// The job, if all its work is done.
    job: Option<Job>,
    pings: Pings,
    calls: Calls,
}

impl Told {
    /// The work begins. `environment` works in lanes, which are not needed here. Without a job, no ping is called.
    pub fn begin(environment: &Environment, job: Option<Job>) -> Told {
        let environment = environment.with_store(environment.store.without_lanes());
        let mut calls = Calls::default();
        let pings = calls.begin(&environment.scheme.pings, &environment.store);
        job.into_iter().for_each(|job| pings.began(job));
        Told { environment, job, pings, calls }
    }

    /// The work has ended, and its lanes are given back. What goes wrong here is logged and does not change how the command ends.
    pub async fn end(self, is_done: bool) {
        let Told { environment, job, pings, calls } = self;
        job.into_iter().for_each(|job| pings.ended(job, is_done));
        drop(pings);
        calls.finish(COMMAND_WAITS).await;
        if environment.scheme.alerts.is_empty() {
            return;
        }
        let told = async { of(&environment)?.tell_once().await };
        if let Err(why) = told.await {
            tracing::warn!("alerts: {why:#}");
        }
    }
}
