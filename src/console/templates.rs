//! Templates and words, compiled in, and how amounts and days are written in each language. Text from files is escaped by
//! the engine.

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment as Engine, UndefinedBehavior, Value};

use super::language::Language;
use crate::domain::money::Currency;
use crate::views::grouped;

macro_rules! templates {
    ($($name:literal),* $(,)?) => {
        [$((concat!($name, ".html"), include_str!(concat!("templates/", $name, ".html")))),*]
    };
}

const TEMPLATES: [(&str, &str); 18] = templates![
    "layout",
    "parts",
    "today",
    "money",
    "unpaid",
    "account",
    "entries",
    "orders",
    "order",
    "customer",
    "files",
    "file",
    "reports",
    "exceptions",
    "login",
    "failure",
    "account_table",
    "order_table",
];

pub struct Pages {
    engine: Engine<'static>,
    words: [(Language, Value); 2],
}

impl Pages {
    pub fn load() -> Result<Pages> {
        let mut engine = Engine::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        engine.set_syntax(syntax.context("the delimiters of templates")?);
        engine.set_undefined_behavior(UndefinedBehavior::Strict);
        engine.add_filter("money", money);
        engine.add_filter("figure", figure);
        engine.add_filter("count", count);
        engine.add_filter("day", day);
        engine.add_filter("short_day", short_day);
        engine.add_filter("time", time);
        engine.add_filter("day_time", day_time);
        engine.add_function("say", say);
        for (name, source) in TEMPLATES {
            engine.add_template(name, source).with_context(|| format!("the template {name}"))?;
        }
        let words = [
            (Language::En, words_of(include_str!("words/en.toml"))?),
            (Language::Zh, words_of(include_str!("words/zh.toml"))?),
        ];
        Ok(Pages { engine, words })
    }

    pub fn render(&self, name: &str, value: Value) -> Result<String, minijinja::Error> {
        self.engine.get_template(&format!("{name}.html"))?.render(value)
    }

    pub fn words(&self, language: Language) -> Value {
        self.words.iter().find(|(of, _)| *of == language).map(|(_, words)| words.clone()).unwrap_or_default()
    }
}

fn words_of(source: &str) -> Result<Value> {
    let words: toml::Table = source.parse().context("the words of the console")?;
    Ok(Value::from(Serde(words)))
}

/// `1,234.50 CNY`.
fn money(amount: &Value) -> Result<String, minijinja::Error> {
    Ok(format!("{} {}", figure(amount)?, amount.get_attr("currency")?))
}

/// `1,234.50`: an amount without its currency.
fn figure(amount: &Value) -> Result<String, minijinja::Error> {
    let minor = i64::try_from(amount.get_attr("minor")?)?;
    let currency = amount.get_attr("currency")?;
    let plain = currency.as_str().and_then(Currency::parse).map_or(minor.to_string(), |known| known.plain(minor));
    Ok(grouped(&plain))
}

fn count(number: i64) -> String {
    grouped(&number.to_string())
}

fn is_chinese(state: &minijinja::State) -> bool {
    state.lookup("lang").is_some_and(|lang| lang.as_str() == Some("zh"))
}

/// `24 March 2026`, `2026年3月24日`.
fn day(state: &minijinja::State, day: &str) -> String {
    let format = if is_chinese(state) { "%Y年%-m月%-d日" } else { "%-d %B %Y" };
    day.parse::<NaiveDate>().map_or(day.to_owned(), |day| day.format(format).to_string())
}

/// `24 Mar`, `3月24日`.
fn short_day(state: &minijinja::State, day: &str) -> String {
    let format = if is_chinese(state) { "%-m月%-d日" } else { "%-d %b" };
    day.parse::<NaiveDate>().map_or(day.to_owned(), |day| day.format(format).to_string())
}

/// `14:05`, in the scheme's zone.
fn time(state: &minijinja::State, at: &str) -> String {
    in_zone(state, at).map_or(at.to_owned(), |at| at.format("%H:%M").to_string())
}

/// `24 Mar 14:05`, in the scheme's zone.
fn day_time(state: &minijinja::State, at: &str) -> String {
    let format = if is_chinese(state) { "%-m月%-d日 %H:%M" } else { "%-d %b %H:%M" };
    in_zone(state, at).map_or(at.to_owned(), |at| at.format(format).to_string())
}

fn in_zone(state: &minijinja::State, at: &str) -> Option<DateTime<Tz>> {
    let zone: Tz = state.lookup("zone")?.as_str()?.parse().ok()?;
    Some(at.parse::<DateTime<Utc>>().ok()?.with_timezone(&zone))
}

/// Says a status, code or name in the page's language; as it is spelled in the books if there is no word for it.
fn say(state: &minijinja::State, group: &str, key: &Value) -> Value {
    let words = state.lookup("t").and_then(|words| words.get_attr(group).ok());
    let word = words.and_then(|words| words.get_item(key).ok()).filter(|word| !word.is_undefined());
    word.unwrap_or_else(|| key.clone())
}
