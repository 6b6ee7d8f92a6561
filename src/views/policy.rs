//! Merchants' policies: each version with the versions it inherits from, and its terms in full.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value as Json;

use crate::config::{Location, Node, Parent, Version};
use crate::scheme::Merchant;

/// A merchant's policy file, and what each of its versions inherits.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PolicyFile {
    pub merchant_id: String,
    pub file: String,
    pub versions: Vec<PolicyVersion>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct PolicyVersion {
    pub effective_from: NaiveDate,
    pub line: usize,
    pub currency: String,
    /// Score bands.
    pub bands: usize,
    /// The version of another file that it inherits from.
    pub base: Option<Base>,
    /// The earlier version of its own file that it inherits from.
    pub same_as: Option<NaiveDate>,
    /// The keys that it has itself.
    pub own_keys: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Base {
    pub file: String,
    pub effective_from: NaiveDate,
}

/// A merchant's terms with all that they inherit.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PolicyTerms {
    pub merchant_id: String,
    pub versions: Vec<Terms>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Terms {
    pub effective_from: NaiveDate,
    /// The keys of a policy's version and their values.
    pub terms: Json,
    /// Where each value is written, by its key, such as late_fee.rate or `bands[0].limit`.
    pub sources: BTreeMap<String, KeySource>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct KeySource {
    pub file: String,
    pub line: usize,
}

impl PolicyFile {
    pub fn of(merchant: &Merchant, versions: &[Version]) -> PolicyFile {
        let both = merchant.policy.versions.iter().zip(versions);
        let version = |(terms, written): (&crate::domain::terms::policy::Terms, &Version)| {
            let (base, same_as) = match &written.parent {
                Parent::None => (None, None),
                Parent::Base { file, effective_from } => {
                    (Some(Base { file: file.to_string(), effective_from: *effective_from }), None)
                }
                Parent::Earlier(day) => (None, Some(*day)),
            };
            let keys = written.own.table().into_iter().flat_map(|table| table.iter());
            let keys = keys.map(|(key, _)| key).filter(|key| !matches!(*key, "effective_from" | "same_as"));
            PolicyVersion {
                effective_from: terms.effective_from,
                line: written.own.location.line,
                currency: terms.currency.code().to_owned(),
                bands: terms.bands.len(),
                base,
                same_as,
                own_keys: keys.map(str::to_owned).collect(),
            }
        };
        PolicyFile {
            merchant_id: merchant.id.clone(),
            file: versions.first().map(|first| first.own.location.file.to_string()).unwrap_or_default(),
            versions: both.map(version).collect(),
        }
    }
}

impl PolicyTerms {
    pub fn of(merchant: &Merchant, versions: &[Version]) -> PolicyTerms {
        let terms = |version: &Version| {
            let mut sources = BTreeMap::new();
            list_sources("", &version.whole, &mut sources);
            Terms { effective_from: version.effective_from, terms: version.whole.to_json(), sources }
        };
        PolicyTerms { merchant_id: merchant.id.clone(), versions: versions.iter().map(terms).collect() }
    }
}

/// Adds the file and line of each value in a table or list to `sources`.
fn list_sources(key: &str, node: &Node, sources: &mut BTreeMap<String, KeySource>) {
    if let Some(table) = node.table() {
        for (name, inner) in table.iter() {
            let key = if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
            list_sources(&key, inner, sources);
        }
        return;
    }
    for (at, item) in node.list().iter().enumerate().filter(|(_, item)| item.table().is_some()) {
        list_sources(&format!("{key}[{at}]"), item, sources);
    }
    let Location { file, line } = &node.location;
    sources.insert(key.to_owned(), KeySource { file: file.to_string(), line: *line });
}
