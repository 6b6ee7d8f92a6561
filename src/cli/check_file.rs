//! `paylater check --file F --feed NAME`: how a file would be read. Nothing is recorded, and the books are not opened.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value as Json, json};

use super::open::At;
use super::{Ending, Misconfigured, say};
use crate::config::{Config, Feed};
use crate::files::inbox;
use crate::files::look::{Found, Look, look};
use crate::files::profile::mapping::SET_ASIDE;
use crate::files::source::Seen;

pub fn run(at: &At, file: &Path, feed: &str) -> Result<Ending> {
    let feed = Config::load_feed(at.config_file()?, feed).map_err(Misconfigured)?;
    let reading = || format!("reading {}", file.display());
    // Whoever names a file means it, wherever links lead.
    let path = file.canonicalize().with_context(reading)?;
    let name = path.file_name().unwrap_or_default().display().to_string();
    let seen = Seen::of(&path.metadata().with_context(reading)?);
    let found = inbox::Found { path, name, date: None, number: None, seen };
    let looked = look(&feed.delivery(&found)).with_context(reading)?;
    if at.json {
        say!("{}", serde_json::to_string_pretty(&as_json(file, &feed, &looked))?);
    } else {
        print(file, &feed, &looked);
    }
    let all_taken = looked.trust.is_ok() && looked.found.is_some_and(|found| found.rejected() == 0);
    Ok(if all_taken { Ending::Done } else { Ending::Failures })
}

fn print(file: &Path, feed: &Feed, looked: &Look) {
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
            let word = if *code == SET_ASIDE { "set aside" } else { "rejected" };
            say!("    {} {word} as {code}, first line {}: {}", refused.count, refused.line, refused.message);
        }
        for total in &found.totals {
            let said = total.said.as_deref().unwrap_or("nothing");
            say!("  total of {}: the file says {said}, holds {}", total.name, total.found);
        }
        if let Some(ended) = found.ended {
            say!("  the line at its end is {}", if ended { "there" } else { "missing" });
        }
    }
    match &looked.trust {
        Ok(()) => say!("  The file would be taken."),
        Err(distrust) => say!("  The file would be quarantined: {}: {}", distrust.code, distrust.message),
    }
}

fn delimiter(found: &Found) -> String {
    match found.layout.delimiter {
        b'\t' => "tab".to_owned(),
        sign => char::from(sign).to_string(),
    }
}

fn as_json(file: &Path, feed: &Feed, looked: &Look) -> Json {
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
        let totals = totals.map(|total| json!({ "of": total.name, "said": total.said, "found": total.found }));
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
