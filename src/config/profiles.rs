//! Profiles by name: the built-in ones in `profiles/`, and the files that feeds name.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};

use super::profile_file::parse;
use super::toml::{Node, Problems, Rules, read, shape, without_detours};
use crate::files::profile::Profile;
use crate::files::rows::Kind;

const BUILT_IN: [(&str, &str); 5] = [
    ("canonical", include_str!("../../profiles/canonical.toml")),
    ("alipay-merchant-bill", include_str!("../../profiles/alipay-merchant-bill.toml")),
    ("wechat-trade-bill", include_str!("../../profiles/wechat-trade-bill.toml")),
    ("shop-export", include_str!("../../profiles/shop-export.toml")),
    ("klarna-settlement", include_str!("../../profiles/klarna-settlement.toml")),
];

/// The names of the built-in profiles.
pub fn names() -> Vec<&'static str> {
    BUILT_IN.iter().map(|(name, _)| *name).collect()
}

/// Loads the profile that a feed names: a built-in one, or a file ending in `.toml`. On failure, returns `None` and
/// notes every problem.
pub fn load(named: &str, at: &str, base: &Path, document: &Node, problems: &mut Problems) -> Option<Arc<Profile>> {
    if let Some((name, text)) = BUILT_IN.iter().find(|(name, _)| *name == named) {
        return parse(name, Path::new(&format!("profiles/{name}.toml")), text, problems);
    }
    let path = without_detours(&base.join(named));
    let mut rules = Rules::new(document, problems);
    let text = if named.ends_with(".toml") { read(&path) } else { Err(unknown(named)) };
    let text = rules.keep(at, text)?;
    let name = path.file_stem().map_or(named.to_owned(), |stem| stem.to_string_lossy().into_owned());
    parse(&name, &path, &text, problems)
}

/// Loads the profiles of all feeds of a configuration, in the order of the feeds.
pub fn of_feeds(document: &Node, base: &Path, problems: &mut Problems) -> Vec<Option<Arc<Profile>>> {
    let feeds = document.get("feed").map(Node::list).unwrap_or_default();
    let profile = |(i, feed): (usize, &Node)| {
        let named = feed.get("profile").and_then(Node::text).unwrap_or("canonical");
        load(named, &format!("feed[{i}].profile"), base, document, problems)
    };
    feeds.iter().enumerate().map(profile).collect()
}

/// Checks that a profile reads the kind of rows that a feed delivers.
pub fn suits(profile: &Profile, kind: Kind) -> Result<()> {
    match profile.kind {
        Some(reads) if reads != kind => {
            bail!(
                "{} reads {}, and this feed's kind is {}; write another in one place",
                profile.name,
                reads.name(),
                kind.name()
            )
        }
        _ => Ok(()),
    }
}

/// Loads a built-in profile, for tests and tools.
pub fn built_in(name: &str) -> Result<Arc<Profile>> {
    let (name, text) =
        BUILT_IN.iter().find(|(known, _)| *known == name).with_context(|| format!("no profile {name}"))?;
    of_text(name, text)
}

/// Loads a profile from the text of a profile file, for tests and tools.
pub fn of_text(name: &str, text: &str) -> Result<Arc<Profile>> {
    let mut problems = Problems::default();
    let profile = parse(name, Path::new(&format!("profiles/{name}.toml")), text, &mut problems);
    Ok(problems.or_all(profile)?)
}

fn unknown(named: &str) -> anyhow::Error {
    let known = names();
    let meant = shape::nearest(named, &known).map(|name| format!("; did you mean {name}?")).unwrap_or_default();
    anyhow::anyhow!(
        "there is no profile {named:?}; write {}, or the path of a .toml file{meant}",
        shape::listed(&known)
    )
}
