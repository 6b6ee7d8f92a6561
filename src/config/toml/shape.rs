//! Whether a document has the shape its schema describes: keys that exist, values of the right type, and no missing
//! keys. It supports only the features that our own schemas use, not all of JSON Schema. The rules check whether values
//! are consistent.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::{Map, Value as Json};

use super::document::{Node, Table, Value};
use super::problems::{Problems, join};

/// Checks a value and everything in it, and adds the problems. Unknown keys are removed so that the rest can be
/// checked; returns whether the rest is readable.
pub fn check(node: &mut Node, schema: &Json, key: &str, problems: &mut Problems) -> bool {
    if *schema == Json::Bool(true) || node.value == Value::Bool(false) && may_be_false(schema) {
        return true;
    }
    let schema = not_false(schema);
    if let Some(either) = schema["anyOf"].as_array() {
        if let Some(schema) = either.iter().find(|schema| Kind::of(schema).is_of(&node.value)) {
            return check(node, schema, key, problems);
        }
        problems.add(&node.location, key, none_of(&node.value, either));
        return false;
    }
    let message = match (&mut node.value, Kind::of(schema)) {
        (Value::Table(table), Kind::Table) => {
            let known = entries(table, schema, key, problems);
            return missing(node, schema, key, problems) && known;
        }
        (Value::List(items), Kind::List) => {
            let mut readable = true;
            for (i, item) in items.iter_mut().enumerate() {
                readable &= check(item, &schema["items"], &format!("{key}[{i}]"), problems);
            }
            match schema["minItems"].as_u64() {
                Some(wanted) if usize::try_from(wanted) != Ok(items.len()) => {
                    format!("has {} entries; write {wanted}", items.len())
                }
                _ => return readable,
            }
        }
        (Value::Text(text), Kind::Words(words)) if words.contains(&text.as_str()) => return true,
        (Value::Text(text), Kind::Words(words)) => {
            let meant = nearest(text, &words).map(|word| format!("; did you mean {word}?")).unwrap_or_default();
            format!("{text:?} is not known; write {}{meant}", listed(&words))
        }
        (Value::Whole(number), Kind::Number(Some(least))) if *number < least => {
            format!("{number} is too small; write {least} or more")
        }
        (Value::Text(text), Kind::Day) if text.parse::<NaiveDate>().is_err() => {
            format!("{text:?} is not a day; write it like \"2026-03-01\"")
        }
        (Value::Text(text), Kind::Decimal) if Decimal::from_str_exact(text).is_err() => {
            format!("{text:?} is not a decimal; write plain digits such as \"0.25\"")
        }
        (Value::Float(text), Kind::Decimal) if Decimal::from_str_exact(text).is_ok() => {
            format!("write it in quotes, \"{text}\", so that no digit is lost")
        }
        (Value::Text(_), Kind::Text | Kind::Day | Kind::Decimal)
        | (Value::Whole(_), Kind::Number(_) | Kind::Decimal)
        | (Value::Bool(_), Kind::YesNo) => return true,
        (Value::Table(_), Kind::List) => {
            "is one table and must be a list; write [[ ]] above it, or [ ] around it".to_owned()
        }
        (value, kind) => format!("{} is not {}", shown(value), kind.in_words()),
    };
    problems.add(&node.location, key, message);
    false
}

/// The kind of value that a schema requires.
enum Kind<'s> {
    Table,
    List,
    Words(Vec<&'s str>),
    Text,
    Day,
    Decimal,
    Number(Option<i64>),
    YesNo,
}

impl Kind<'_> {
    fn of(schema: &Json) -> Kind<'_> {
        if let Some(words) = schema["enum"].as_array() {
            return Kind::Words(words.iter().filter_map(Json::as_str).collect());
        }
        match (schema["type"].as_str(), schema["format"].as_str()) {
            (Some("object"), _) => Kind::Table,
            (Some("array"), _) => Kind::List,
            (Some("integer"), _) => Kind::Number(schema["minimum"].as_i64()),
            (Some("boolean"), _) => Kind::YesNo,
            (_, Some("date")) => Kind::Day,
            (_, Some("decimal")) => Kind::Decimal,
            _ => Kind::Text,
        }
    }

    /// Whether a value has this kind's TOML type, valid or not.
    fn is_of(&self, value: &Value) -> bool {
        match value {
            Value::Table(_) => matches!(self, Kind::Table),
            Value::List(_) => matches!(self, Kind::List),
            Value::Text(_) => matches!(self, Kind::Words(_) | Kind::Text | Kind::Day | Kind::Decimal),
            Value::Whole(_) => matches!(self, Kind::Number(_) | Kind::Decimal),
            Value::Float(_) => matches!(self, Kind::Decimal),
            Value::Bool(_) => matches!(self, Kind::YesNo),
        }
    }

    fn in_words(&self) -> String {
        match self {
            Kind::Table => "a table; write its keys one by one, below [ ] or in { }".to_owned(),
            Kind::List => "a list; write it in [ ]".to_owned(),
            Kind::Words(words) => format!("a known word; write {} in quotes", listed(words)),
            Kind::Text => "a text; write it in quotes".to_owned(),
            Kind::Day => "a day; write it like \"2026-03-01\"".to_owned(),
            Kind::Decimal => "a decimal; write plain digits in quotes, such as \"0.25\"".to_owned(),
            Kind::Number(_) => "a whole number; write plain digits without quotes".to_owned(),
            Kind::YesNo => "true or false; write one of these without quotes".to_owned(),
        }
    }
}

/// The message for a value that has none of the allowed kinds.
fn none_of(value: &Value, either: &[Json]) -> String {
    let words: Vec<String> = either.iter().map(|schema| Kind::of(schema).in_words()).collect();
    let parts = words.iter().map(|words| words.split_once("; ").unwrap_or((words, "")));
    let (kinds, advice): (Vec<&str>, Vec<&str>) = parts.unzip();
    format!("{} is neither {}; {}", shown(value), kinds.join(" nor "), advice.join(", or "))
}

/// Whether a schema allows `false` for "nothing here".
fn may_be_false(schema: &Json) -> bool {
    schema["anyOf"][0]["const"] == Json::Bool(false)
}

/// The schema of values other than `false`.
fn not_false(schema: &Json) -> &Json {
    if may_be_false(schema) { &schema["anyOf"][1] } else { schema }
}

fn entries(table: &mut Table, schema: &Json, key: &str, problems: &mut Problems) -> bool {
    let none = Map::new();
    let known = schema["properties"].as_object().unwrap_or(&none);
    let mut readable = true;
    let mut strangers = Vec::new();
    for (name, node) in table.iter_mut() {
        let path = join(key, name);
        // In a table whose keys people choose, all values have the same schema.
        let chosen = Some(&schema["additionalProperties"]).filter(|inner| inner.is_object());
        if let Some(inner) = known.get(name).or(chosen) {
            readable &= check(node, inner, &path, problems);
            continue;
        }
        let words: Vec<&str> = known.keys().map(String::as_str).collect();
        let advice = match nearest(name, &words) {
            Some(word) => format!("there is no such key; did you mean {word}?"),
            None => format!("there is no such key; the keys here are {}", words.join(", ")),
        };
        problems.add(&node.location, &path, advice);
        strangers.push(name.to_owned());
    }
    for name in strangers {
        table.remove(&name);
    }
    readable
}

fn missing(node: &Node, schema: &Json, key: &str, problems: &mut Problems) -> bool {
    let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut complete = true;
    for name in required.iter().filter_map(Json::as_str).filter(|name| node.get(name).is_none()) {
        let about = schema["properties"][name]["description"].as_str().unwrap_or_default();
        let first = about.split(['.', ';']).next().unwrap_or_default();
        let about = if first.is_empty() { String::new() } else { format!(": {}", lower_first(first)) };
        problems.add(&node.location, &join(key, name), format!("is missing; write it{about}"));
        complete = false;
    }
    complete
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("{text:?}"),
        Value::Whole(number) => number.to_string(),
        Value::Float(text) => text.clone(),
        Value::Bool(yes) => yes.to_string(),
        Value::List(_) => "a list".to_owned(),
        Value::Table(_) => "a table".to_owned(),
    }
}

/// Lists words, such as `a, b or c`.
pub fn listed(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [before @ .., last] => format!("{} or {last}", before.join(", ")),
    }
}

/// The word that a person probably meant: its distance is at most a third of its letters.
pub fn nearest<'w>(text: &str, words: &[&'w str]) -> Option<&'w str> {
    let near = |word: &&'w str| (distance(text, word), *word);
    let (distance, word) = words.iter().map(near).min()?;
    (distance <= word.chars().count().div_ceil(3)).then_some(word)
}

/// How many letters to add, remove or replace to turn one word into the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let exchanged = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = exchanged.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_understood_and_a_guess_is_not_made() {
        let words = ["grace", "rate", "cap_amount", "cap_order_share"];
        for (text, meant) in [
            ("gracee", Some("grace")),
            ("garce", Some("grace")),
            ("Rate", Some("rate")),
            ("cap_ammount", Some("cap_amount")),
            ("cap-order-share", Some("cap_order_share")),
            ("frequency", None),
            ("", None),
        ] {
            assert_eq!(nearest(text, &words), meant, "{text}");
        }
        assert_eq!((distance("kitten", "sitting"), distance("", "abc"), distance("abc", "abc")), (3, 3, 0));
    }
}
