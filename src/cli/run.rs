//! `paylater run`: the daemon.

use anyhow::Result;

use super::Ending;
use super::open::At;
use crate::runner::daemon;

#[derive(clap::Args)]
pub struct Run {}

impl Run {
    pub async fn run(self, at: &At) -> Result<Ending> {
        let work = at.work().await?;
        daemon::run(&work.environment).await?;
        work.progress.finish();
        work.environment.store.close().await;
        Ok(Ending::Done)
    }
}
