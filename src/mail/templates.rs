//! The templates of the mails: built in, replaceable one by one by files, in further languages by a folder each, and checked
//! before the first mail.
//!
//! A mail is rendered from the inside out: `lines` lists the orders, the letter (named after its template) gives the reason
//! for the mail, and `layout` adds greeting, ways to pay and signature. The first lines of a letter's `.txt` are the subject and
//! the preheader.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, Value};

use super::formats::{Formats, LanguageFile, plural_name, plural_rules};
use super::made_up;
pub use super::template_files::TemplateError;
use super::template_files::{self, LANGUAGE_FILE, Source};
use super::view::View;
use crate::domain::decide::reminders::Template;
use crate::domain::language_tag::{LanguageTag, closest, fallbacks, language_tag};

const SUBJECT: &str = "Subject: ";
const PREHEADER: &str = "Preheader: ";

/// Locales whose formats are kept. Customers of one scheme have few; a file can name any number.
const MOST_FORMATS: usize = 200;

/// The texts of a mail.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Wording {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// The templates of all mails, parsed and checked.
#[derive(Debug)]
pub struct Templates {
    languages: BTreeMap<String, Language>,
    /// Of customers whose language has no templates.
    default: LanguageTag,
    formats: Mutex<HashMap<LanguageTag, Arc<Formats>>>,
}

/// The templates of one language.
#[derive(Debug)]
pub(super) struct Language {
    tag: LanguageTag,
    file: LanguageFile,
    environment: Environment<'static>,
    /// Where the source of each template is.
    places: BTreeMap<String, String>,
}

impl Templates {
    /// The built-in templates, with the files of `folder` in place of those of the same name. `named` are letters that policies
    /// name besides.
    pub fn load(
        folder: Option<&Path>,
        default: &LanguageTag,
        named: &BTreeSet<String>,
    ) -> Result<Templates, TemplateError> {
        let sources = template_files::read(folder, named)?;
        let mut languages = BTreeMap::new();
        for tag in sources.keys() {
            let language = Language::load(&language_tag(tag), &sources, named)?;
            language.check(named)?;
            languages.insert(tag.clone(), language);
        }
        if closest(&languages, default).is_none() {
            let message = format!("there are no templates in the default language, {default}");
            return Err(TemplateError { file: "language.toml".into(), line: 0, message });
        }
        for name in named {
            if !languages.values().any(|language| language.has(name)) {
                let message = "a policy names this letter, but no language has it".to_owned();
                return Err(TemplateError { file: format!("{name}.txt"), line: 0, message });
            }
        }
        Ok(Templates { languages, default: default.clone(), formats: Mutex::default() })
    }

    /// The tags of all languages.
    pub fn languages(&self) -> impl Iterator<Item = &str> {
        self.languages.keys().map(String::as_str)
    }

    /// The language for a customer: the closest to their own, or the default.
    pub(super) fn language(&self, wanted: &LanguageTag) -> &Language {
        let own = closest(&self.languages, wanted);
        own.or_else(|| closest(&self.languages, &self.default)).expect("the default language was found at the start")
    }

    /// The formats for a customer. A customer whose language has no templates gets those of the default language.
    pub(super) fn formats(&self, language: &Language, wanted: &LanguageTag) -> Result<Arc<Formats>, TemplateError> {
        let locale = if wanted.language == language.tag.language { wanted } else { &language.tag };
        let Ok(mut kept) = self.formats.lock() else { return language.formats(locale).map(Arc::new) };
        if let Some(formats) = kept.get(locale) {
            return Ok(Arc::clone(formats));
        }
        let formats = Arc::new(language.formats(locale)?);
        if kept.len() < MOST_FORMATS {
            kept.insert(locale.clone(), Arc::clone(&formats));
        }
        Ok(formats)
    }
}

impl Language {
    fn load(
        tag: &LanguageTag,
        sources: &BTreeMap<String, BTreeMap<String, Source>>,
        named: &BTreeSet<String>,
    ) -> Result<Language, TemplateError> {
        // What a language lacks comes from the one it belongs to: zh-Hant takes it from zh.
        let find = |name: &str| {
            fallbacks(tag).iter().find_map(|tag| sources.get(&tag.to_string()).and_then(|files| files.get(name)))
        };
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.expect("the delimiters are the usual ones"));
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let whole = |message: String| TemplateError { file: format!("{tag}/{LANGUAGE_FILE}"), line: 0, message };
        let rules = plural_rules(tag).map_err(whole)?;
        environment.add_function("plural", move |number: i64| plural_name(&rules, number));
        let mut places = BTreeMap::new();
        for name in template_files::names(named) {
            let Some(source) = find(&name) else {
                if template_files::may_lack(&name) {
                    continue;
                }
                let message =
                    "the language lacks this template; `paylater mails templates --export` writes all of them";
                return Err(TemplateError { file: format!("{tag}/{name}"), line: 0, message: message.into() });
            };
            places.insert(name.clone(), source.place.clone());
            let added = environment.add_template_owned(name.clone(), source.text.clone());
            added.map_err(|error| located(&source.place, &error))?;
        }
        let source = find(LANGUAGE_FILE).ok_or_else(|| whole("the language lacks this file".into()))?;
        let file = LanguageFile::parse(&source.text).map_err(|message| TemplateError {
            file: source.place.clone(),
            line: 0,
            message,
        })?;
        Ok(Language { tag: tag.clone(), file, environment, places })
    }

    pub fn tag(&self) -> &LanguageTag {
        &self.tag
    }

    /// Whether the language has a letter.
    fn has(&self, letter: &str) -> bool {
        self.places.contains_key(&format!("{letter}.txt")) && self.places.contains_key(&format!("{letter}.html"))
    }

    fn formats(&self, locale: &LanguageTag) -> Result<Formats, TemplateError> {
        let formats = Formats::new(locale, &self.file).or_else(|_| Formats::new(&self.tag, &self.file));
        formats.map_err(|message| TemplateError { file: format!("{}/{LANGUAGE_FILE}", self.tag), line: 0, message })
    }

    /// Renders a letter: the one that a policy names if the language has it, else its template's.
    pub fn render(&self, template: Template, named: Option<&str>, view: View) -> Result<Wording, TemplateError> {
        let usual = template_files::letter_of(template);
        self.render_letter(named.filter(|named| self.has(named)).unwrap_or(usual), view)
    }

    fn render_letter(&self, name: &str, mut view: View) -> Result<Wording, TemplateError> {
        view.language = self.tag.to_string();
        view.direction = if self.file.right_to_left { "rtl" } else { "ltr" };
        let text_file = format!("{name}.txt");
        view.table = Some(Value::from(self.part("lines.txt", &view)?.trim_end()));
        view.events = Some(Value::from(self.part("events.txt", &view)?.trim_end()));
        let letter = self.part(&text_file, &view)?;
        let (subject, body) = letter.split_once('\n').unwrap_or((&letter, ""));
        let Some(subject) = subject.strip_prefix(SUBJECT).map(str::trim).filter(|subject| !subject.is_empty()) else {
            let message = format!("the first line is not a subject: it begins with {SUBJECT:?}");
            return Err(TemplateError { file: self.place(&text_file), line: 1, message });
        };
        let (preheader, body) =
            match body.strip_prefix(PREHEADER).map(|rest| rest.split_once('\n').unwrap_or((rest, ""))) {
                Some((preheader, body)) => (Some(preheader.trim().to_owned()), body),
                None => (None, body),
            };
        view.preheader = preheader;
        view.letter = Some(Value::from(body.trim()));
        let text = without_gaps(&self.part("layout.txt", &view)?);

        view.table = Some(Value::from_safe_string(self.part("lines.html", &view)?));
        view.events = Some(Value::from_safe_string(self.part("events.html", &view)?));
        view.letter = Some(Value::from_safe_string(self.part(&format!("{name}.html"), &view)?));
        let html = self.part("layout.html", &view)?;
        Ok(Wording { subject: subject.to_owned(), text, html: html + "\n" })
    }

    fn part(&self, name: &str, view: &View) -> Result<String, TemplateError> {
        let rendered = self.environment.get_template(name).and_then(|template| template.render(Serde(view)));
        rendered.map_err(|error| located(&self.place(error.name().unwrap_or(name)), &error))
    }

    fn place(&self, name: &str) -> String {
        self.places.get(name).cloned().unwrap_or_else(|| format!("{}/{name}", self.tag))
    }

    /// First searches for unknown names without rendering, to cover branches that made-up letters do not reach. Then renders
    /// every letter with the fullest, the sparsest and the most extreme content.
    fn check(&self, named: &BTreeSet<String>) -> Result<(), TemplateError> {
        let known = Value::from(Serde(View::default()));
        for (name, template) in self.environment.templates() {
            let mut unknown: Vec<_> = template.undeclared_variables(false).into_iter().collect();
            unknown.retain(|variable| {
                let found = known.get_attr(variable).is_ok_and(|value| !value.is_undefined());
                !found && !self.environment.globals().any(|(global, _)| global == variable)
            });
            unknown.sort();
            if let Some(variable) = unknown.first() {
                let line = line_of(template.source(), variable);
                return Err(TemplateError {
                    file: self.place(name),
                    line,
                    message: format!("unknown name {variable:?}"),
                });
            }
        }
        for template in Template::ALL {
            let others = template_files::letters_for(template, named);
            for letter in others
                .iter()
                .map(String::as_str)
                .chain([template_files::letter_of(template)])
                .filter(|name| self.has(name))
            {
                for view in made_up::views(template) {
                    self.render_letter(letter, view)?;
                }
            }
        }
        Ok(())
    }
}

/// Removes the second of two empty lines in a row, and what is empty at the ends.
fn without_gaps(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut was_empty = true;
    for line in text.lines().map(str::trim_end) {
        if !line.is_empty() || !was_empty {
            kept.push_str(line);
            kept.push('\n');
        }
        was_empty = line.is_empty();
    }
    kept.trim_end().to_owned() + "\n"
}

/// The error with its position, but without values, which could identify a customer.
fn located(file: &str, error: &minijinja::Error) -> TemplateError {
    let message = match error.kind() {
        minijinja::ErrorKind::SyntaxError => error.detail().unwrap_or("syntax error").to_owned(),
        kind => kind.to_string(),
    };
    TemplateError { file: file.to_owned(), line: error.line().unwrap_or(0), message }
}

/// The first line that contains a word.
fn line_of(source: &str, word: &str) -> usize {
    let is_part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    let names_it = |line: &str| line.split(|c| !is_part_of_word(c)).any(|part| part == word);
    source.lines().position(names_it).map_or(0, |index| index + 1)
}

#[cfg(test)]
#[path = "templates_tests.rs"]
mod tests;
