//! Reads a file that people write, and reports all its problems.

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

/// Reads a file's text into its struct, and returns its values as well, so that rules can find their lines.
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

/// Simplifies a path as a person would write it: `a/../b` becomes `b`.
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
