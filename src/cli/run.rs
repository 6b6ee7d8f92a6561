//! `paylater run`: the daemon.

use anyhow::{Result, anyhow};

use super::open::At;
use super::{Ending, Misconfigured};
use crate::scheduler;

#[derive(clap::Args)]
pub struct Run {}

impl Run {
    pub async fn run(self, at: &At) -> Result<Ending> {
        if at.json {
            let why = anyhow!("the daemon prints nothing, so it has no --json; ask `paylater --json status`");
            return Err(Misconfigured(why).into());
        }
        let work = at.work().await?;
        scheduler::run(&work.scheme).await?;
        work.progress.finish();
        work.scheme.store.close().await;
        Ok(Ending::Done)
    }
}
