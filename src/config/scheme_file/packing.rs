//! The keys about the form of a feed's files: their size, their packing, and the names of their markers.

use anyhow::{Result, ensure};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::toml::{Rules, is_name, join, wrong};
use crate::files::inbox::NamePattern;
use crate::files::read::container::Limits;

/// The largest value of a key of the limits.
const MOST: u64 = 1_000_000;

#[derive(Deserialize, JsonSchema, Clone, Copy, Default)]
#[serde(deny_unknown_fields)]
pub struct RawLimits {
    /// How many times its packed size a file may unpack to.
    ratio: Option<u64>,
    /// How many MiB of text a file may hold, unpacked.
    file_mib: Option<u64>,
    /// How many entries a zip may have.
    entries: Option<u64>,
    /// How many KiB long a row may be.
    line_kib: Option<u64>,
}

impl RawLimits {
    /// Converts the limits; a missing key takes its value from `base`.
    pub fn resolve(self, at: &str, base: Limits, rules: &mut Rules) -> Option<Limits> {
        let mut keep = |key: &str, value: Option<u64>| rules.keep(&join(at, key), value.map(within).transpose());
        let (ratio, file_mib) = (keep("ratio", self.ratio), keep("file_mib", self.file_mib));
        let (entries, line_kib) = (keep("entries", self.entries), keep("line_kib", self.line_kib));
        Some(Limits {
            ratio: ratio?.unwrap_or(base.ratio),
            bytes: file_mib?.map_or(base.bytes, |mib| mib << 20),
            entries: entries?.unwrap_or(base.entries),
            line: line_kib?.map_or(base.line, |kib| kib << 10),
        })
    }
}

pub fn name_pattern(text: &str) -> Result<NamePattern> {
    NamePattern::parse(text).map_err(|why| anyhow::anyhow!("{text:?}: {why}"))
}

/// Checks the ending of the names of markers.
pub fn marker(ending: String) -> Result<String> {
    let plain = ending.len() > 1 && ending.starts_with('.') && is_name(&ending[1..]);
    ensure!(plain, "{ending:?}: write a point and letters, digits, - and _, such as \".done\"");
    Ok(ending)
}

fn within(value: u64) -> Result<u64> {
    if (1..=MOST).contains(&value) { Ok(value) } else { Err(wrong("", format!("{value}: write 1 to {MOST}"))) }
}
