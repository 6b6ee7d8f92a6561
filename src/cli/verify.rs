//! `paylater verify`: the books proved again.

use anyhow::Result;

use super::Ending;
use super::open::At;
use super::say;
use crate::books::verify;

#[derive(clap::Args)]
pub struct Verify {}

impl Verify {
    pub async fn run(self, at: &At) -> Result<Ending> {
        let environment = at.look().await?;
        let verified = verify::run(&environment).await?;
        if at.json {
            say!("{}", serde_json::to_string_pretty(&verified)?);
        } else {
            for problem in &verified.problems {
                say!("WRONG  {problem}");
            }
            let (orders, days, files) = (verified.orders, verified.days, verified.files);
            let word = if verified.problems.is_empty() { "All is as it was sealed" } else { "NOT as it was sealed" };
            say!("{word}: {orders} orders decided again, {days} sealed days, {files} files.");
            if verified.days_without_fingerprint > 0 {
                let days = verified.days_without_fingerprint;
                say!("{days} days were sealed before rows were fingerprinted; a close makes up for that.");
            }
        }
        Ok(if verified.problems.is_empty() { Ending::Done } else { Ending::Failures })
    }
}
