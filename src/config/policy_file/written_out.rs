//! Terms written out in full, as TOML that can be loaded again. Each value has a note with its file and line.

use std::fmt::Write as _;

use super::inherit::Version;
use crate::config::toml::{Location, Node, Value};

/// Writes a policy's versions with everything they inherit.
pub fn written_out(versions: &[Version]) -> String {
    let mut out = "base = false  # nothing is inherited: everything is listed here\n".to_owned();
    for version in versions {
        out.push_str("\n[[version]]");
        note(&mut out, &version.own.location);
        table(&mut out, "version", &version.whole);
    }
    out
}

/// Writes the values of a table first, then its inner tables.
fn table(out: &mut String, name: &str, node: &Node) {
    let Some(entries) = node.table() else { return };
    let day_first = |(key, _): &(&str, &Node)| *key != "effective_from";
    let mut values: Vec<_> = entries.iter().filter(|(_, node)| node.table().is_none()).collect();
    values.sort_by_key(day_first);
    for (key, node) in values {
        let _ = write!(out, "{} = ", bare_or_quoted(key));
        let tables = node.list().iter().any(|item| item.table().is_some());
        if tables {
            out.push_str("[\n");
            for item in node.list() {
                let _ = write!(out, "  {},", inline(item));
                note(out, &item.location);
            }
            out.push_str("]\n");
        } else {
            out.push_str(&inline(node));
            note(out, &node.location);
        }
    }
    for (key, inner) in entries.iter().filter(|(_, node)| node.table().is_some()) {
        let name = format!("{name}.{}", bare_or_quoted(key));
        let only_tables = inner
            .table()
            .is_some_and(|table| !table.is_empty() && table.iter().all(|(_, node)| node.table().is_some()));
        if !only_tables {
            let _ = write!(out, "\n[{name}]");
            note(out, &inner.location);
        }
        table(out, &name, inner);
    }
}

fn note(out: &mut String, location: &Location) {
    let _ = writeln!(out, "  # {}:{}", location.file, location.line);
}

fn inline(node: &Node) -> String {
    match &node.value {
        // TOML's own writer knows which characters to escape.
        Value::Text(text) => toml::Value::String(text.clone()).to_string(),
        Value::Float(text) => text.clone(),
        Value::Whole(number) => number.to_string(),
        Value::Bool(yes) => yes.to_string(),
        Value::List(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Table(table) => {
            let entry = |(key, node): (&str, &Node)| format!("{} = {}", bare_or_quoted(key), inline(node));
            format!("{{ {} }}", table.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    }
}

fn bare_or_quoted(key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if bare { key.to_owned() } else { toml::Value::String(key.to_owned()).to_string() }
}
