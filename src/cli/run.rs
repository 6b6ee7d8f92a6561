//! `paylater run`: runs the daemon.

use anyhow::{Result, anyhow};

use super::open::{At, reloaded};
use super::{Ending, Misconfigured, alerts, console};
use crate::runner::daemon;

#[derive(clap::Args)]
pub struct Run {}

impl Run {
    pub async fn run(self, at: &At) -> Result<Ending> {
        if at.json {
            let why = anyhow!("the daemon prints nothing, so it has no --json; ask `paylater --json status`");
            return Err(Misconfigured(why).into());
        }
        let work = at.serve().await?;
        let environment = work.environment.clone();
        let console = console::beside(at, &environment.scheme).await?;
        let alerts = alerts::Beside::begin(&environment)?;
        let reload = || {
            let loaded = reloaded(at, &environment)?;
            alerts.reload(&loaded)?;
            console.read_again();
            Ok(loaded)
        };
        let ended = daemon::run(environment.clone(), reload).await;
        drop(alerts);
        console.stop().await;
        ended?;
        work.progress.finish();
        Ok(Ending::Done)
    }
}
