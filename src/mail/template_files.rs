//! The files of templates: which there are, and where they come from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::domain::decide::reminders::Template;
use crate::domain::language_tag::{LanguageTag, language_tag};

macro_rules! built_in {
    ($($language:literal: $($name:literal),*);* $(;)?) => {
        &[$($(($language, $name, include_str!(concat!("templates/", $language, "/", $name)))),*),*]
    };
}

/// Language, name and text of each built-in file.
pub const BUILT_IN: &[(&str, &str, &str)] = built_in![
    "en": "language.toml", "layout.html", "layout.txt", "lines.html", "lines.txt", "events.html", "events.txt",
        "news.html", "news.txt", "debit_announced.html", "debit_announced.txt", "upcoming.html", "upcoming.txt",
        "due_today.html", "due_today.txt", "overdue.html", "overdue.txt", "second_reminder.html", "second_reminder.txt",
        "last_reminder.html", "last_reminder.txt", "notice.html", "notice.txt";
    "zh": "language.toml", "layout.html", "layout.txt", "lines.html", "lines.txt", "events.html", "events.txt",
        "news.html", "news.txt", "debit_announced.html", "debit_announced.txt", "upcoming.html", "upcoming.txt",
        "due_today.html", "due_today.txt", "overdue.html", "overdue.txt", "second_reminder.html", "second_reminder.txt",
        "last_reminder.html", "last_reminder.txt", "notice.html", "notice.txt";
];

pub(super) const LANGUAGE_FILE: &str = "language.toml";

/// The parts around the letters.
const PARTS: [&str; 3] = ["layout", "lines", "events"];

/// The letter whose reason is something that happened.
const NEWS: &str = "news";

/// Letters that a ladder step can name, besides those of a scheme's own.
const MORE_LETTERS: [&str; 2] = ["second_reminder", "last_reminder"];

/// An error in a template. Line 0 means the whole file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("mail template {file}:{line}: {message}")]
pub struct TemplateError {
    pub file: String,
    pub line: usize,
    pub message: String,
}

/// A file's text, and its name for messages.
pub(super) struct Source {
    pub text: String,
    pub place: String,
}

/// The names of all templates, with the letters that policies name.
pub(super) fn names(named: &BTreeSet<String>) -> Vec<String> {
    let letters = Template::ALL.map(letter_of).into_iter().chain(PARTS).chain(MORE_LETTERS);
    let mut all: BTreeSet<String> = letters.map(str::to_owned).collect();
    all.extend(named.iter().cloned());
    all.into_iter().flat_map(|name| [format!("{name}.html"), format!("{name}.txt")]).collect()
}

/// Whether a language may lack a template. In place of a letter that a policy names, the template's own is sent.
pub(super) fn may_lack(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name);
    !PARTS.contains(&stem) && !Template::ALL.map(letter_of).contains(&stem)
}

/// The letter of a template.
pub(super) fn letter_of(template: Template) -> &'static str {
    if template.asks() { template.name() } else { NEWS }
}

/// The letters that may be sent in place of a template's own.
pub(super) fn letters_for(template: Template, named: &BTreeSet<String>) -> Vec<String> {
    match template {
        Template::Upcoming | Template::DueToday | Template::Overdue => {
            MORE_LETTERS.into_iter().map(str::to_owned).chain(named.iter().cloned()).collect()
        }
        _ => Vec::new(),
    }
}

/// Reads all templates by language and name: the built-in ones, with those of a folder in their place.
pub(super) fn read(
    folder: Option<&Path>,
    named: &BTreeSet<String>,
) -> Result<BTreeMap<String, BTreeMap<String, Source>>, TemplateError> {
    let mut sources: BTreeMap<String, BTreeMap<String, Source>> = BTreeMap::new();
    for (language, name, text) in BUILT_IN {
        let source = Source { text: (*text).to_owned(), place: format!("{language}/{name}") };
        sources.entry((*language).to_owned()).or_default().insert((*name).to_owned(), source);
    }
    let known = names(named);
    for (language, name, path) in folder.map(files_in).transpose()?.unwrap_or_default() {
        // A file that replaces no template has a misspelt name; without this error, the built-in text would be sent.
        if name != LANGUAGE_FILE && !known.contains(&name) {
            return Err(error_in(&path, "no template has this name, and no policy names it".into()));
        }
        let text = std::fs::read_to_string(&path).map_err(|error| error_in(&path, error.to_string()))?;
        let source = Source { text, place: path.display().to_string() };
        sources.entry(language).or_default().insert(name, source);
    }
    Ok(sources)
}

/// Language, name and path of each template in a folder: `de/notice.txt`, or `notice.en.txt` as in earlier versions.
fn files_in(folder: &Path) -> Result<Vec<(String, String, PathBuf)>, TemplateError> {
    let mut found = Vec::new();
    for path in entries(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            let tag = language_tag(&name);
            if tag == LanguageTag::UNKNOWN {
                return Err(error_in(&path, "the name is no language; write a tag such as de or zh-Hant".into()));
            }
            for path in entries(&path)?.into_iter().filter(|path| is_template(path)) {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                found.push((tag.to_string(), name, path));
            }
        } else if is_template(&path) {
            let parts: Vec<&str> = name.split('.').collect();
            let [stem, tag, form] = parts[..] else {
                return Err(error_in(&path, "it belongs into the folder of its language, such as en".into()));
            };
            found.push((language_tag(tag).to_string(), format!("{stem}.{form}"), path.clone()));
        }
    }
    Ok(found)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, TemplateError> {
    let read = || -> std::io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            paths.push(entry?.path());
        }
        paths.sort();
        Ok(paths)
    };
    read().map_err(|error| error_in(folder, error.to_string()))
}

fn is_template(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name == LANGUAGE_FILE || name.ends_with(".txt") || name.ends_with(".html")
}

fn error_in(path: &Path, message: String) -> TemplateError {
    TemplateError { file: path.display().to_string(), line: 0, message }
}
