//! Reading a file that people write, with all that is wrong in it.

use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::document::{Node, parse};
use super::problems::Problems;
use super::rules::Rules;
use super::{schema, shape};

pub fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

/// Reads a whole file into what it is written for; with its values, for the rules to find their lines.
pub fn read_as<T: DeserializeOwned + JsonSchema>(
    path: &Path,
    text: &str,
    problems: &mut Problems,
) -> Option<(T, Node)> {
    let mut document = parse(path, text, problems)?;
    if !shape::check(&mut document, &schema::of::<T>(), "", problems) {
        return None;
    }
    let raw = serde_json::from_value(document.to_json()).context("it can't be read");
    let raw = Rules::new(&document, problems).keep("", raw)?;
    Some((raw, document))
}

/// `a/../b` is `b`: how people would write the path.
pub fn without_detours(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        let inside = matches!(plain.components().next_back(), Some(Component::Normal(_)));
        match part {
            Component::ParentDir if inside => {
                plain.pop();
            }
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    if plain.as_os_str().is_empty() { PathBuf::from(".") } else { plain }
}
