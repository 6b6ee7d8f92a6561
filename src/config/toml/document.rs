//! TOML read into values that know their file and line, so that a rule can report where it is broken, even after values
//! of several files are merged. Deliberately absent: the meaning of the values.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value as Json;
use toml::de::{DeTable, DeValue};

use super::problems::{Location, Problems};

/// A value and its location. The location of a table's entry is that of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub location: Location,
    pub value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Whole(i64),
    /// A number with a point, as written. It is never used in calculations.
    Float(String),
    Bool(bool),
    List(Vec<Node>),
    Table(Table),
}

/// Entries in the order in which they were written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table(Vec<(String, Node)>);

impl Table {
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    /// Replaces the entry with the same key, or appends a new one.
    pub fn set(&mut self, key: &str, node: Node) {
        match self.0.iter_mut().find(|(name, _)| name == key) {
            Some((_, there)) => *there = node,
            None => self.0.push((key.to_owned(), node)),
        }
    }

    pub fn remove(&mut self, key: &str) -> Option<Node> {
        let at = self.0.iter().position(|(name, _)| name == key)?;
        Some(self.0.remove(at).1)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.0.iter().map(|(key, node)| (key.as_str(), node))
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Node)> {
        self.0.iter_mut().map(|(key, node)| (key.as_str(), node))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Node {
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.table().and_then(|table| table.get(key))
    }

    pub fn table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn list(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The location of a key such as `bands[1].limit`; if the key is missing, that of the table or list that lacks it.
    pub fn location_of(&self, key: &str) -> &Location {
        let mut node = self;
        for part in key.split(['.', '[']).filter(|part| !part.is_empty()) {
            let inner = match part.strip_suffix(']') {
                Some(number) => number.parse().ok().and_then(|at: usize| node.list().get(at)),
                None => node.get(part),
            };
            match inner {
                Some(inner) => node = inner,
                None => break,
            }
        }
        &node.location
    }

    /// Whether this value, or any value in it, has a location.
    pub fn holds(&self, location: &Location) -> bool {
        self.location == *location
            || self.list().iter().any(|item| item.holds(location))
            || self.table().is_some_and(|table| table.iter().any(|(_, node)| node.holds(location)))
    }

    /// Converts to JSON for serde. Keys are sorted: the order in which they were written does not matter.
    pub fn to_json(&self) -> Json {
        match &self.value {
            Value::Text(text) | Value::Float(text) => Json::String(text.clone()),
            Value::Whole(number) => Json::from(*number),
            Value::Bool(yes) => Json::Bool(*yes),
            Value::List(items) => items.iter().map(Node::to_json).collect(),
            Value::Table(table) => {
                let sorted: std::collections::BTreeMap<_, _> = table.iter().collect();
                Json::Object(sorted.into_iter().map(|(key, node)| (key.to_owned(), node.to_json())).collect())
            }
        }
    }
}

/// Parses a file's text. If the text is not TOML, returns `None` and adds every syntax error to the problems.
pub fn parse(path: &Path, text: &str, problems: &mut Problems) -> Option<Node> {
    let file = Reading { name: path.display().to_string().into(), text };
    let (table, errors) = DeTable::parse_recoverable(text);
    for why in &errors {
        let at = why.span().map_or(0, |span| span.start);
        // The message does not show the line, which may contain a password.
        problems.add(&file.location(at), "", format!("this is not TOML: {}", why.message()));
    }
    errors.is_empty().then(|| Node { location: file.location(0), value: file.table(table.get_ref()) })
}

struct Reading<'t> {
    name: Arc<str>,
    text: &'t str,
}

impl Reading<'_> {
    fn line(&self, at: usize) -> usize {
        self.text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
    }

    fn location(&self, at: usize) -> Location {
        Location { file: self.name.clone(), line: self.line(at) }
    }

    fn table(&self, table: &DeTable<'_>) -> Value {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let entry = |(key, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
            let key: (&std::borrow::Cow<'_, str>, _) = (key.get_ref(), key.span());
            let node = Node { location: self.location(key.1.start), value: self.value(value.get_ref(), value.span()) };
            (key.0.to_string(), node)
        };
        Value::Table(Table(entries.into_iter().map(entry).collect()))
    }

    fn value(&self, value: &DeValue<'_>, span: std::ops::Range<usize>) -> Value {
        match value {
            DeValue::String(text) => Value::Text(text.to_string()),
            // A number too large for any key keeps its written form, for the message that refuses it.
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Value::Whole(number),
                Err(_) => Value::Float(self.text[span].to_owned()),
            },
            DeValue::Float(_) => Value::Float(self.text[span].to_owned()),
            DeValue::Boolean(yes) => Value::Bool(*yes),
            // A day may be written with or without quotes.
            DeValue::Datetime(at) => Value::Text(at.to_string()),
            DeValue::Array(items) => {
                let node = |item: &toml::Spanned<DeValue<'_>>| Node {
                    location: self.location(item.span().start),
                    value: self.value(item.get_ref(), item.span()),
                };
                Value::List(items.iter().map(node).collect())
            }
            DeValue::Table(table) => self.table(table),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# shop\n[[version]]\nclock = \"ordered\"\nbands = [\n  { score = 1,\n    limit = \"5\" },\n]\n\n[version.late_fee]\nrate = 0.5\n\n[[version]]\nfrom = 2026-01-01\nlate_fee.rate = 1_000\n";

    #[test]
    fn every_value_knows_its_line() {
        let mut problems = Problems::default();
        let node = parse(Path::new("tea.toml"), TEXT, &mut problems).unwrap();
        for (key, line) in [
            ("version", 2),
            ("version[0]", 2),
            ("version[0].clock", 3),
            ("version[0].bands", 4),
            ("version[0].bands[0]", 5),
            ("version[0].bands[0].limit", 6),
            ("version[0].bands[0].term", 5),
            ("version[0].late_fee", 9),
            ("version[0].late_fee.rate", 10),
            ("version[1]", 12),
            ("version[1].from", 13),
            ("version[1].late_fee.rate", 14),
        ] {
            assert_eq!(node.location_of(key).line, line, "{key}");
        }
        let json = r#"{"version":[{"bands":[{"limit":"5","score":1}],"clock":"ordered","late_fee":{"rate":"0.5"}},"#
            .to_owned()
            + r#"{"from":"2026-01-01","late_fee":{"rate":1000}}]}"#;
        assert_eq!(node.to_json().to_string(), json);
    }

    #[test]
    fn every_place_that_is_not_toml_is_told() {
        let mut problems = Problems::default();
        assert_eq!(parse(Path::new("tea.toml"), "a = \nb = 1\nc == 2\n", &mut problems), None);
        let told = problems.or_all(None::<()>).unwrap_err().to_string();
        assert!(
            told.contains("tea.toml:1: this is not TOML") && told.contains("tea.toml:3: this is not TOML"),
            "{told}"
        );
    }
}
