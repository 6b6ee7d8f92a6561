//! `paylater check --file F --feed NAME`: shows how paylater would read a file and, for an orders file, which orders it
//! would not accept with the current state of the books. Records nothing.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};

use super::open::At;
use super::table::show;
use super::{Ending, Misconfigured, json};
use crate::config;
use crate::domain::intake::status::RowOutcome;
use crate::domain::words::count;
use crate::files::inbox;
use crate::files::preview::{Preview, preview};
use crate::files::read::source::Seen;
use crate::files::rows::Kind;
use crate::jobs::ingest_files::preview::{self as decisions, Foreseen};
use crate::scheme::Feed;
use crate::store;
use crate::views::file_check::{ExpectedOutcome, FileCheck, FirstRow, Found, RefusedRows};

pub async fn run(at: &At, file: &Path, feed: &str) -> Result<Ending> {
    let feed = config::load_feed(at.config_file()?, feed).map_err(Misconfigured)?;
    let reading = || format!("reading {}", file.display());
    // Follow symbolic links: a person chose this file by name.
    let path = file.canonicalize().with_context(reading)?;
    let name = path.file_name().unwrap_or_default().display().to_string();
    let seen = Seen::of(&path.metadata().with_context(reading)?);
    let found = inbox::Found { path, name, date: None, number: None, seen };
    let looked = preview(&feed.delivery(&found)).with_context(reading)?;
    let foreseen = foreseen(at, &feed, &found, &looked).await;
    let check = FileCheck::of(file, &feed, looked, foreseen);
    if at.json {
        json::print(&check)?;
    } else {
        print(&check);
    }
    Ok(if check.is_taken_whole() { Ending::Done } else { Ending::Failures })
}

fn print(check: &FileCheck) {
    show!("{} for feed {}: {}, profile {}", check.file, check.feed, check.kind, check.profile);
    if let Some(found) = &check.found {
        print_found(found);
    }
    match (&check.quarantined, &check.found) {
        (Some(why), _) => show!("  The file would be quarantined: {}: {}", why.code, why.message),
        (None, Some(found)) if found.rejected > 0 && found.rejected == found.rows => {
            show!("  The file would be taken, but every row of it rejected: correct the rows first.");
        }
        (None, Some(found)) if found.rejected > 0 => {
            show!(
                "  The file would be taken, but {} of its {} would be rejected.",
                found.rejected,
                count(found.rows, "row")
            );
        }
        (None, _) => show!("  The file would be taken."),
    }
    for expected in check.orders.iter().flatten() {
        let ExpectedOutcome { outcome, code, rows, first_line, message } = expected;
        let as_code = if *outcome == RowOutcome::Duplicate { String::new() } else { format!(" as {code}") };
        show!("  By the books as they are now, {rows} would be {outcome}{as_code}, first line {first_line}: {message}");
    }
    if let Some(why) = &check.orders_unknown {
        show!("  Which orders would be declined is not known: {why}.");
    }
}

fn print_found(found: &Found) {
    let delimiter = format!("{:?}", found.delimiter);
    let rejects = if found.rejects { "; rejected rows that come again" } else { "" };
    show!("  {}, delimiter {delimiter}, header in line {}{rejects}", found.encoding, found.header_line);
    for (column, from) in &found.columns {
        let from = if from.is_empty() { "nothing in this file".to_owned() } else { from.join(", ") };
        show!("  {column:<15} from {from}");
    }
    if !found.not_read.is_empty() {
        show!("  not read: {}", found.not_read.join(", "));
    }
    for FirstRow { line, values } in &found.first {
        let values: Vec<String> = values.iter().map(|(column, value)| format!("{column} {value}")).collect();
        show!("  line {line}: {}", values.join(", "));
    }
    let Found { readable, set_aside, rejected, .. } = found;
    show!("  {}: {readable} readable, {set_aside} set aside, {rejected} rejected", count(found.rows, "row"));
    for refused in &found.reasons {
        let word = if refused.set_aside { "set aside" } else { "rejected" };
        let RefusedRows { code, rows, first_line, message, .. } = refused;
        show!("    {rows} {word} as {code}, first line {first_line}: {message}");
    }
    for total in &found.totals {
        let said = total.said.as_deref().unwrap_or("nothing");
        show!("  total of {}: the file says {said}, holds {}", total.of, total.found);
    }
    if let Some(ended) = found.end_marker {
        show!("  the line at its end is {}", if ended { "there" } else { "missing" });
    }
}

/// Returns the orders that paylater would not accept, or `None` if the file has no orders or would be quarantined.
async fn foreseen(at: &At, feed: &Feed, found: &inbox::Found, looked: &Preview) -> Option<Result<Vec<Foreseen>>> {
    if feed.kind != Kind::Orders
        || looked.trust.is_err()
        || looked.found.as_ref().is_none_or(|found| found.readable == 0)
    {
        return None;
    }
    Some(by_the_books(at, feed, found).await)
}

async fn by_the_books(at: &At, feed: &Feed, found: &inbox::Found) -> Result<Vec<Foreseen>> {
    let mistake = "the configuration has mistakes elsewhere; run check without --file";
    let Some(environment) =
        at.look_at_books().await.map_err(|why| if why.is::<Misconfigured>() { anyhow!(mistake) } else { why })?
    else {
        bail!("the scheme has no books yet");
    };
    let mut tx = environment.store.read().await?;
    let Some(days) = store::scheme::days(&mut tx).await? else { bail!("the scheme has no books yet") };
    drop(tx);
    // The feed in the whole configuration can hold more than the feed loaded alone.
    let feed =
        environment.scheme.feeds.iter().find(|known| known.name == feed.name).context("there is no such feed")?;
    decisions::orders(&environment, feed, found, days.business_date).await
}
