//! `paylater check --file F --feed NAME`: how a file would be read, and of orders, which would not be accepted as the books are
//! now. Nothing is recorded.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value as Json, json};

use super::open::At;
use super::{Ending, Misconfigured, say};
use crate::config;
use crate::files::inbox;
use crate::files::preview::{Found, Preview, preview};
use crate::files::profile::mapping::is_declined;
use crate::files::read::source::Seen;
use crate::files::rows::Kind;
use crate::jobs::ingest_files::preview::{self, Foreseen};
use crate::scheme::Feed;
use crate::store;

pub async fn run(at: &At, file: &Path, feed: &str) -> Result<Ending> {
    let feed = config::load_feed(at.config_file()?, feed).map_err(Misconfigured)?;
    let reading = || format!("reading {}", file.display());
    // Whoever names a file means it, wherever links lead.
    let path = file.canonicalize().with_context(reading)?;
    let name = path.file_name().unwrap_or_default().display().to_string();
    let seen = Seen::of(&path.metadata().with_context(reading)?);
    let found = inbox::Found { path, name, date: None, number: None, seen };
    let looked = preview(&feed.delivery(&found)).with_context(reading)?;
    let foreseen = foreseen(at, &feed, &found, &looked).await;
    if at.json {
        let mut answer = as_json(file, &feed, &looked);
        answer["orders"] = match &foreseen {
            None => Json::Null,
            Some(Ok(foreseen)) => foreseen.iter().map(foreseen_as_json).collect(),
            Some(Err(why)) => json!({ "unknown": format!("{why:#}") }),
        };
        say!("{}", serde_json::to_string_pretty(&answer)?);
    } else {
        print(file, &feed, &looked);
        match foreseen {
            None => {}
            Some(Ok(foreseen)) => print_foreseen(&foreseen),
            Some(Err(why)) => say!("  Which orders would be declined is not known: {why:#}."),
        }
    }
    let all_taken = looked.trust.is_ok() && looked.found.is_some_and(|found| found.rejected() == 0);
    Ok(if all_taken { Ending::Done } else { Ending::Failures })
}

fn print(file: &Path, feed: &Feed, looked: &Preview) {
    say!("{} for feed {}: {}, profile {}", file.display(), feed.name, feed.kind.name(), feed.profile.name);
    if let Some(found) = &looked.found {
        let Found { layout, header_line, rows, readable, .. } = found;
        let delimiter = format!("{:?}", delimiter(found));
        let rejects = if layout.is_rejects { "; rejected rows that come again" } else { "" };
        say!("  {}, delimiter {delimiter}, header in line {header_line}{rejects}", layout.script.name());
        for (column, from) in &found.columns {
            let from = if from.is_empty() { "nothing in this file".to_owned() } else { from.join(", ") };
            say!("  {column:<15} from {from}");
        }
        if !found.unused.is_empty() {
            say!("  not read: {}", found.unused.join(", "));
        }
        for (line, values) in &found.first {
            let values: Vec<String> = values.iter().map(|(column, value)| format!("{column} {value}")).collect();
            say!("  line {line}: {}", values.join(", "));
        }
        let (set_aside, rejected) = (found.set_aside(), found.rejected());
        say!("  {rows} rows: {readable} readable, {set_aside} set aside, {rejected} rejected");
        for ((code, _), refused) in &found.refused {
            let word = if is_declined(code) { "set aside" } else { "rejected" };
            say!("    {} {word} as {code}, first line {}: {}", refused.count, refused.line, refused.message);
        }
        for total in &found.totals {
            let said = total.stated.as_deref().unwrap_or("nothing");
            say!("  total of {}: the file says {said}, holds {}", total.name, total.found);
        }
        if let Some(ended) = found.ended {
            say!("  the line at its end is {}", if ended { "there" } else { "missing" });
        }
    }
    match &looked.trust {
        Ok(()) => match &looked.found {
            Some(found) if found.rejected() > 0 && found.rejected() == found.rows => {
                say!("  The file would be taken, but every row of it rejected: mend them first.");
            }
            Some(found) if found.rejected() > 0 => {
                let (rejected, rows) = (found.rejected(), found.rows);
                say!("  The file would be taken, but {rejected} of its {rows} rows rejected.");
            }
            _ => say!("  The file would be taken."),
        },
        Err(distrust) => say!("  The file would be quarantined: {}: {}", distrust.code, distrust.message),
    }
}

/// The orders that would not be accepted. None: it is no file of orders that could be taken.
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
    // The whole configuration may say more of a feed than the feed alone.
    let feed =
        environment.scheme.feeds.iter().find(|known| known.name == feed.name).context("there is no such feed")?;
    preview::orders(&environment, feed, found, days.business_date).await
}

fn print_foreseen(foreseen: &[Foreseen]) {
    for Foreseen { outcome, code, count, line, message } in foreseen {
        let as_code = if *outcome == "duplicate" { String::new() } else { format!(" as {code}") };
        say!("  By the books as they are now, {count} would be {outcome}{as_code}, first line {line}: {message}");
    }
}

fn foreseen_as_json(foreseen: &Foreseen) -> Json {
    let Foreseen { outcome, code, count, line, message } = foreseen;
    json!({ "outcome": outcome, "code": code, "rows": count, "first_line": line, "message": message })
}

fn delimiter(found: &Found) -> String {
    match found.layout.delimiter {
        b'\t' => "tab".to_owned(),
        sign => char::from(sign).to_string(),
    }
}

fn as_json(file: &Path, feed: &Feed, looked: &Preview) -> Json {
    let quarantined = looked.trust.as_ref().err();
    let mut answer = json!({
        "file": file.display().to_string(),
        "feed": feed.name,
        "kind": feed.kind.name(),
        "profile": feed.profile.name,
        "quarantined": quarantined.map(|distrust| json!({ "code": distrust.code, "message": distrust.message })),
    });
    if let Some(found) = &looked.found {
        let columns: serde_json::Map<_, _> =
            found.columns.iter().map(|(column, from)| (column.clone(), json!(from))).collect();
        let first = |(line, values): &(i64, Vec<(String, String)>)| {
            let values: serde_json::Map<_, _> =
                values.iter().map(|(column, value)| (column.clone(), json!(value))).collect();
            json!({ "line": line, "values": values })
        };
        let refused = found.refused.iter().map(|((code, _), refused)| {
            json!({ "code": code, "rows": refused.count, "first_line": refused.line, "message": refused.message })
        });
        let totals = found.totals.iter();
        let totals = totals.map(|total| json!({ "of": total.name, "said": total.stated, "found": total.found }));
        answer["found"] = json!({
            "encoding": found.layout.script.name(),
            "delimiter": delimiter(found),
            "rejects": found.layout.is_rejects,
            "header_line": found.header_line,
            "columns": columns,
            "not_read": found.unused,
            "rows": found.rows,
            "readable": found.readable,
            "set_aside": found.set_aside(),
            "rejected": found.rejected(),
            "reasons": refused.collect::<Vec<_>>(),
            "first": found.first.iter().map(first).collect::<Vec<_>>(),
            "totals": totals.collect::<Vec<_>>(),
            "end_marker": found.ended,
        });
    }
    answer
}
