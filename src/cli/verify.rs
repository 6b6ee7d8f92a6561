//! `paylater verify`: proves the books again.

use anyhow::Result;

use super::open::At;
use super::table::show;
use super::{Ending, json};
use crate::books::verify;
use crate::domain::words::{count, count_with};
use crate::views::verification::Verification;

#[derive(clap::Args)]
pub struct Verify {}

impl Verify {
    pub async fn run(self, at: &At) -> Result<Ending> {
        let environment = at.look().await?;
        let verified = Verification::from(verify::run(&environment).await?);
        if at.json {
            json::print(&verified)?;
        } else {
            print(&verified);
        }
        Ok(if verified.ok { Ending::Done } else { Ending::Failures })
    }
}

fn print(verified: &Verification) {
    for problem in &verified.problems {
        show!("WRONG  {problem}");
    }
    let (orders, days) = (count(verified.orders, "order"), count(verified.days, "day"));
    let files = count(verified.files, "file");
    if verified.ok {
        show!("OK: {orders} recomputed; {days} and {files} match their seals.");
    } else {
        show!(
            "NOT OK: {}. {orders} recomputed; {days} and {files} compared.",
            count(verified.problems.len(), "problem")
        );
    }
    match verified.days_without_fingerprint {
        0 => {}
        days => {
            let were = count_with(days, "day", "were");
            show!("{were} sealed before paylater kept fingerprints; a later close adds them.");
        }
    }
}
