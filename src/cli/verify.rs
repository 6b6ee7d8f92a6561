//! `paylater verify`: proves the books again.

use anyhow::{Result, anyhow};
use chrono::NaiveDate;

use super::open::At;
use super::table::show;
use super::{Ending, Misconfigured, json};
use crate::books::verify::{self, Range};
use crate::domain::words::{count, count_with};
use crate::views::verification::Verification;

#[derive(clap::Args)]
#[command(after_help = "\
Without a range it proves everything: every order is decided again from its facts. With one, it proves the days in it: their \
rows, balances, reports and files, and that every row that came was accounted for. The chain of seals is always proved whole.

Examples:
  paylater verify
  paylater verify --from 2026-03-01 --to 2026-03-31 --json")]
pub struct Verify {
    /// Prove only sealed days from this one on; orders are not decided again.
    #[arg(long, value_name = "DATE")]
    from: Option<NaiveDate>,

    /// Prove only sealed days up to this one; orders are not decided again.
    #[arg(long, value_name = "DATE")]
    to: Option<NaiveDate>,
}

impl Verify {
    pub async fn run(self, at: &At) -> Result<Ending> {
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from > to
        {
            return Err(Misconfigured(anyhow!("--from {from} is after --to {to}; exchange them")).into());
        }
        let environment = at.look().await?;
        let range = Range { from: self.from, to: self.to };
        let verified = Verification::from(verify::run(&environment, range).await?);
        if at.json {
            json::print(&verified)?;
        } else {
            print(&verified, range);
        }
        Ok(if verified.ok { Ending::Done } else { Ending::Failures })
    }
}

fn print(verified: &Verification, range: Range) {
    for problem in &verified.problems {
        show!("WRONG  {problem}");
    }
    let days = count(verified.days, "day");
    let files = count(verified.files, "file");
    let orders = match range {
        Range { from: None, to: None } => format!("{} recomputed; ", count(verified.orders, "order")),
        Range { .. } => String::new(),
    };
    if verified.ok {
        show!("OK: {orders}{days} and {files} match their seals.");
    } else {
        show!("NOT OK: {}. {orders}{days} and {files} compared.", count(verified.problems.len(), "problem"));
    }
    show!(
        "Compared besides: {}, {}, {} of rows. Accounted for: {} of {}.",
        count(verified.entries, "journal row"),
        count(verified.balances, "balance"),
        count(verified.fingerprints, "fingerprint"),
        count(verified.input_rows, "row"),
        count(verified.input_files, "input file")
    );
    match verified.days_without_fingerprint {
        0 => {}
        days => {
            let were = count_with(days, "day", "were");
            show!("{were} sealed before paylater kept fingerprints; a later close adds them.");
        }
    }
}
