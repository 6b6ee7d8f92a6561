//! `[mail.texts.LANGUAGE]` and `[merchant.texts.LANGUAGE]` of `paylater.toml`: what mails say besides the amounts.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow, ensure};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::toml::{Rules, join};
use crate::domain::language_tag::{LanguageTag, language_tag};
use crate::domain::terms::letterhead::{Letterhead, Letterheads, Way};

/// The longest text. Longer ones make nobody read a mail.
const LONGEST: usize = 500;

#[derive(Deserialize, JsonSchema, Default, Clone)]
#[serde(deny_unknown_fields)]
pub struct RawLetterhead {
    /// The name of the scheme or the merchant in this language.
    name: Option<String>,
    /// How to pay: a link, or words.
    pay: Option<String>,
    /// How to ask for an extension: a link, or words.
    extend: Option<String>,
    /// How to give goods back: a link, or words.
    #[serde(rename = "return")]
    give_back: Option<String>,
    /// How to stop reminders: a link, or words.
    unsubscribe: Option<String>,
    /// Whom to ask, in one line.
    contact: Option<String>,
    /// Legal name and address.
    legal: Option<String>,
    /// The body that hears complaints.
    complaints: Option<String>,
}

/// Converts the texts of a table to letterheads.
pub fn resolve(texts: BTreeMap<String, RawLetterhead>, section: &str, rules: &mut Rules) -> Letterheads {
    let mut heads = BTreeMap::new();
    for (tag, raw) in texts {
        let section = join(section, &tag);
        if let Some(language) = rules.keep(&section, language(&tag)) {
            heads.insert(language.to_string(), raw.resolve(&section, rules));
        }
    }
    Letterheads(heads)
}

/// Parses the tag of a language.
pub fn language(text: &str) -> Result<LanguageTag> {
    let tag = language_tag(text);
    ensure!(tag != LanguageTag::UNKNOWN, "{text:?} is no language; write a tag such as zh, zh-Hant or en-GB");
    Ok(tag)
}

impl RawLetterhead {
    fn resolve(self, section: &str, rules: &mut Rules) -> Letterhead {
        let mut way = |key: &str, text: Option<String>| {
            let way = text.map(|text| within_length(&text).and_then(|()| Ok(Way::parse(&text)?))).transpose();
            rules.keep(&join(section, key), way).flatten()
        };
        let (pay, extend) = (way("pay", self.pay), way("extend", self.extend));
        let (give_back, unsubscribe) = (way("return", self.give_back), way("unsubscribe", self.unsubscribe));
        let mut line = |key: &str, text: Option<String>| {
            let line = text.map(|text| one_line(&text).map(|()| text)).transpose();
            rules.keep(&join(section, key), line).flatten()
        };
        Letterhead {
            name: line("name", self.name),
            pay,
            extend,
            give_back,
            unsubscribe,
            contact: line("contact", self.contact),
            legal: line("legal", self.legal),
            complaints: line("complaints", self.complaints),
        }
    }
}

fn within_length(text: &str) -> Result<()> {
    let length = text.chars().count();
    ensure!(length <= LONGEST, "{length} characters; write at most {LONGEST}");
    ensure!(!text.trim().is_empty(), "it is empty; leave the key out instead");
    Ok(())
}

fn one_line(text: &str) -> Result<()> {
    within_length(text)?;
    if text.contains(char::is_control) {
        return Err(anyhow!("a line break or another control character; write one line"));
    }
    Ok(())
}
