//! `paylater verify`: proves the books again.

use anyhow::Result;

use super::open::At;
use super::table::show;
use super::{Ending, json};
use crate::books::verify;
use crate::views::verification::Verification;
use crate::views::words::count;

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
    let word = if verified.ok { "All is as it was sealed" } else { "NOT as it was sealed" };
    let (orders, days) = (count(verified.orders, "order"), count(verified.days, "sealed day"));
    show!("{word}: {orders} decided again, {days}, {}.", count(verified.files, "file"));
    match verified.days_without_fingerprint {
        0 => {}
        1 => show!("1 day was sealed before rows were fingerprinted; a close makes up for that."),
        days => show!("{days} days were sealed before rows were fingerprinted; a close makes up for that."),
    }
}
