//! Inheritance between versions of policies. Each version has at most one parent: the earlier version of its own file
//! that `same_as` names, or otherwise the version of the base policy in force on its day. A version's own keys override
//! inherited keys. A new version of a base changes no merchant's terms: terms change only on the days in the merchant's
//! own file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::NaiveDate;
use serde_json::Value as Json;

use super::schema;
use crate::config::toml::{Location, Node, Problems, Rules, Table, Value, parse, read, shape, without_detours};

/// A version as written (`own`), and with everything that it inherits (`whole`).
#[derive(Debug, Clone)]
pub struct Version {
    pub effective_from: NaiveDate,
    pub own: Node,
    pub whole: Node,
    pub parent: Parent,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parent {
    None,
    /// A version of the base policy.
    Base {
        file: Arc<str>,
        effective_from: NaiveDate,
    },
    /// An earlier version of the same file.
    Earlier(NaiveDate),
}

impl Version {
    /// The rules of this version. Some of its keys may come from another version or file.
    pub fn rules<'a>(&'a self, problems: &'a mut Problems) -> Rules<'a> {
        let Location { file, line } = &self.own.location;
        let heir = format!("version {}, {file}:{line}", self.effective_from);
        Rules::of_heir(&self.own, &self.whole, heir, problems)
    }
}

/// A file that another file names.
pub struct Named<'a> {
    pub path: PathBuf,
    pub location: &'a Location,
    pub key: &'a str,
}

/// Loads the versions of a policy's file, oldest first, with everything they inherit. A version without a day, or
/// without the parent it needs, is left out, and the reason is added to the problems. `scheme_base` applies to files
/// without a base.
pub fn load(policy: &Named, scheme_base: Option<&Named>, problems: &mut Problems) -> Option<Vec<Version>> {
    let document = open(policy, problems)?;
    let own_base = document.get("base").map(|node| (node, node.text()));
    let base = match own_base {
        Some((node, Some(file))) => {
            let folder = policy.path.parent().unwrap_or(Path::new(""));
            let named = Named { path: without_detours(&folder.join(file)), location: &node.location, key: "base" };
            Some(Base::load(&named, problems)?)
        }
        // The file says `base = false`.
        Some((_, None)) => None,
        None => match scheme_base.filter(|base| base.path != policy.path) {
            Some(named) => Some(Base::load(named, problems)?),
            None => None,
        },
    };
    if written(&document).is_empty() {
        problems.add(&document.location, "version", "there is none; write [[version]] and the terms below it");
    }
    Some(versions(&document, base.as_ref(), problems))
}

/// Reports the problems of a base policy, even if no policy inherits from it.
pub fn check_base(named: &Named, problems: &mut Problems) {
    Base::load(named, problems);
}

/// A policy that others inherit from.
struct Base {
    versions: Vec<Version>,
    path: PathBuf,
    /// The day of the first version, whether or not that version can be read.
    first: Option<NaiveDate>,
}

impl Base {
    fn load(named: &Named, problems: &mut Problems) -> Option<Base> {
        let document = open(named, problems)?;
        if let Some(base) = document.get("base").filter(|base| base.text().is_some()) {
            let message = "a policy that others inherit from has no base of its own; write here what it takes over";
            problems.add(&base.location, "base", message);
        }
        let first = written(&document).iter().filter_map(|version| day(version, "effective_from")).min();
        Some(Base { versions: versions(&document, None, problems), path: named.path.clone(), first })
    }

    fn in_force(&self, day: NaiveDate) -> Option<&Version> {
        self.versions.iter().rev().find(|version| version.effective_from <= day)
    }
}

/// Reads a policy's file without checking its versions.
fn open(named: &Named, problems: &mut Problems) -> Option<Node> {
    let text = match read(&named.path) {
        Ok(text) => text,
        Err(why) => {
            let message = format!("{} can't be read: {}", named.path.display(), why.root_cause());
            problems.add(named.location, named.key, message);
            return None;
        }
    };
    let mut document = parse(&named.path, &text, problems)?;
    let mut schema = schema::policy();
    // Versions are checked one by one, so that an unreadable version does not hide the others.
    schema["properties"]["version"]["items"] = Json::Bool(true);
    shape::check(&mut document, &schema, "", problems).then_some(document)
}

fn written(document: &Node) -> &[Node] {
    document.get("version").map(Node::list).unwrap_or_default()
}

fn day(version: &Node, key: &str) -> Option<NaiveDate> {
    version.get(key)?.text()?.parse().ok()
}

fn versions(document: &Node, base: Option<&Base>, problems: &mut Problems) -> Vec<Version> {
    let schema = &schema::policy()["properties"]["version"]["items"];
    let mut found: Vec<Version> = Vec::new();
    let mut days: Vec<NaiveDate> = Vec::new();
    for node in written(document) {
        let mut own = node.clone();
        shape::check(&mut own, schema, "", problems);
        let Some(effective_from) = day(&own, "effective_from") else { continue };
        if let Some(last) = days.last().filter(|last| **last >= effective_from) {
            let message =
                format!("{effective_from} is not after {last}; list versions oldest first, each with its own day");
            problems.add(own.location_of("effective_from"), "effective_from", message);
            continue;
        }
        if let Some((inherited, parent)) = inherited(&own, effective_from, &found, &days, base, problems) {
            let mut whole = merged(inherited.as_ref(), &own);
            // `same_as` itself is not inherited.
            if let Value::Table(table) = &mut whole.value {
                table.remove("same_as");
            }
            found.push(Version { effective_from, own, whole: without_nothing(whole), parent });
        }
        days.push(effective_from);
    }
    found
}

/// Finds the parent that a version inherits from. `None` if that parent can't be used.
fn inherited(
    own: &Node,
    effective_from: NaiveDate,
    before: &[Version],
    days: &[NaiveDate],
    base: Option<&Base>,
    problems: &mut Problems,
) -> Option<(Option<Node>, Parent)> {
    if let Some(earlier) = day(own, "same_as") {
        if !days.contains(&earlier) {
            let advice =
                "is not the effective_from of an earlier version in this file; name one that is, or leave it out";
            problems.add(own.location_of("same_as"), "same_as", format!("{earlier} {advice}"));
        }
        let version = before.iter().find(|version| version.effective_from == earlier)?;
        return Some((Some(version.whole.clone()), Parent::Earlier(earlier)));
    }
    let Some(base) = base else { return Some((None, Parent::None)) };
    if let Some(version) = base.in_force(effective_from) {
        let parent = Parent::Base { file: version.own.location.file.clone(), effective_from: version.effective_from };
        return Some((Some(version.whole.clone()), parent));
    }
    // An unreadable base is already reported.
    if let Some(first) = base.first.filter(|first| *first > effective_from) {
        let message = format!(
            "{} is in force from {first} only; write a version there that begins by {effective_from}, or base = false here",
            base.path.display()
        );
        problems.add(own.location_of("effective_from"), "effective_from", message);
    }
    None
}

/// Merges tables key by key. Other values, including lists, are replaced as a whole. A table with its own `kind`, or
/// with `tiers` that each have one, is taken unchanged, because the keys of one kind differ from those of another.
fn merged(inherited: Option<&Node>, own: &Node) -> Node {
    let (Some(Value::Table(above)), Value::Table(table)) = (inherited.map(|node| &node.value), &own.value) else {
        return own.clone();
    };
    if table.get("kind").or(table.get("tiers")).is_some() {
        return own.clone();
    }
    let mut whole = above.clone();
    for (key, node) in table.iter() {
        whole.set(key, merged(above.get(key), node));
    }
    Node { location: own.location.clone(), value: Value::Table(whole) }
}

/// Removes keys that are `false` where `false` means "nothing": optional keys that are not booleans.
fn without_nothing(version: Node) -> Node {
    fn cleared(node: Node, schema: &Json) -> Node {
        let Value::Table(table) = node.value else { return node };
        let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut kept = Table::default();
        for (key, inner) in table.iter() {
            let schema = &schema["properties"][key];
            let needed = required.contains(&Json::from(key)) || schema["type"] == "boolean";
            if inner.value != Value::Bool(false) || needed {
                kept.set(key, cleared(inner.clone(), schema));
            }
        }
        Node { value: Value::Table(kept), ..node }
    }
    cleared(version, &schema::whole_version())
}
