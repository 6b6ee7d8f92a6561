//! The templates of the mails: built in, replaceable one by one by files, and checked before the first mail.
//!
//! A mail is rendered from the inside out: `lines` lists the orders, the letter (named after its template) gives the reason
//! for the mail, and `layout` adds greeting and signature. The first line of a letter's `.txt` is the subject.

use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, Value};
use serde::Serialize;

use super::language::Language;
use crate::domain::decide::reminders::Template;

macro_rules! built_in {
    ($($name:literal),* $(,)?) => { &[$(($name, include_str!(concat!("templates/", $name)))),*] };
}

const BUILT_IN: &[(&str, &str)] = built_in![
    "due_today.en.html",
    "due_today.en.txt",
    "due_today.zh.html",
    "due_today.zh.txt",
    "layout.en.html",
    "layout.en.txt",
    "layout.zh.html",
    "layout.zh.txt",
    "lines.en.html",
    "lines.en.txt",
    "lines.zh.html",
    "lines.zh.txt",
    "notice.en.html",
    "notice.en.txt",
    "notice.zh.html",
    "notice.zh.txt",
    "overdue.en.html",
    "overdue.en.txt",
    "overdue.zh.html",
    "overdue.zh.txt",
    "upcoming.en.html",
    "upcoming.en.txt",
    "upcoming.zh.html",
    "upcoming.zh.txt",
];

const SUBJECT: &str = "Subject: ";

/// An error in a template. Line 0 means the whole file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("mail template {file}:{line}: {message}")]
pub struct TemplateError {
    pub file: String,
    pub line: usize,
    pub message: String,
}

/// The names that a template can use. Amounts, days and names are already formatted and cleaned.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct View {
    pub scheme: String,
    pub contact: Option<String>,
    pub name: Option<String>,
    pub today: String,
    /// The merchant, if all lines have the same.
    pub merchant: Option<String>,
    /// The sum to pay on the lines with the letter's template.
    pub amount: String,
    /// The sum to pay on all lines.
    pub total: String,
    /// Whether there is more than one line.
    pub several: bool,
    /// The due date of the lines with the letter's template, if it is the same for all.
    pub due_on: Option<String>,
    /// The day from which these lines are reported, if it is the same for all.
    pub flag_on: Option<String>,
    /// Whether paying these lines on time or late affects the customer's credit record.
    pub record: bool,
    /// Whether the customer must pay any line.
    pub by_hand: bool,
    /// Whether any line is collected by debit.
    pub collected: bool,
    pub lines: Vec<LineView>,
    /// The rendered lines, for the letter.
    pub table: Option<Value>,
    /// The rendered letter, for the layout.
    pub letter: Option<Value>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct LineView {
    pub state: &'static str,
    pub merchant: String,
    pub order_id: String,
    pub item: Option<String>,
    pub amount: String,
    pub fee: Option<String>,
    pub due_on: String,
    pub days_left: i64,
    pub days_past_due: i64,
    pub flag_on: Option<String>,
    /// The day at whose end a late fee may be charged or grow.
    pub fee_after: Option<String>,
    /// The day of the debit.
    pub collected_on: Option<String>,
    /// Whether the bank has been asked to collect the amount.
    pub being_collected: bool,
}

/// The texts of a mail.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Wording {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// The templates of all mails, parsed and checked.
pub struct Templates(Environment<'static>);

impl Templates {
    /// The built-in templates, each replaced by the file of the same name in `folder` if there is one.
    pub fn load(folder: Option<&Path>) -> Result<Templates, TemplateError> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.expect("the delimiters are the usual ones"));
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let mut sources: Vec<(&str, String)> = BUILT_IN.iter().map(|(name, text)| (*name, (*text).into())).collect();
        if let Some(folder) = folder {
            replace_from(folder, &mut sources)?;
        }
        for (name, source) in sources {
            environment.add_template_owned(name, source).map_err(|error| located(name, &error))?;
        }
        let templates = Templates(environment);
        templates.check().map_err(|error| match folder {
            Some(folder) if folder.join(&error.file).exists() => {
                TemplateError { file: folder.join(&error.file).display().to_string(), ..error }
            }
            _ => error,
        })?;
        Ok(templates)
    }

    pub(super) fn render(
        &self,
        template: Template,
        language: Language,
        mut view: View,
    ) -> Result<Wording, TemplateError> {
        let name = template.name();
        let text_file = format!("{name}.{}.txt", language.code());
        view.table = Some(Value::from(self.part("lines", language, "txt", &view)?.trim_end()));
        let letter = self.part(name, language, "txt", &view)?;
        let (subject, body) = letter.split_once('\n').unwrap_or((&letter, ""));
        let Some(subject) = subject.strip_prefix(SUBJECT).map(str::trim).filter(|subject| !subject.is_empty()) else {
            let message = format!("the first line is not a subject: it begins with {SUBJECT:?}");
            return Err(TemplateError { file: text_file, line: 1, message });
        };
        view.letter = Some(Value::from(body.trim()));
        let text = self.part("layout", language, "txt", &view)?;

        view.table = Some(Value::from_safe_string(self.part("lines", language, "html", &view)?));
        view.letter = Some(Value::from_safe_string(self.part(name, language, "html", &view)?));
        let html = self.part("layout", language, "html", &view)?;
        Ok(Wording { subject: subject.to_owned(), text: text.trim_end().to_owned() + "\n", html: html + "\n" })
    }

    fn part(&self, name: &str, language: Language, form: &str, view: &View) -> Result<String, TemplateError> {
        let file = format!("{name}.{}.{form}", language.code());
        let rendered = self.0.get_template(&file).and_then(|template| template.render(Serde(view)));
        rendered.map_err(|error| located(&file, &error))
    }

    /// First searches for unknown names without rendering, to cover branches that samples do not reach. Then renders every
    /// letter twice, with the fullest and with the sparsest content.
    fn check(&self) -> Result<(), TemplateError> {
        let known = Value::from(Serde(View::default()));
        for (name, template) in self.0.templates() {
            let mut unknown: Vec<_> = template.undeclared_variables(false).into_iter().collect();
            unknown.retain(|variable| {
                let found = known.get_attr(variable).is_ok_and(|value| !value.is_undefined());
                !found && !self.0.globals().any(|(global, _)| global == variable)
            });
            unknown.sort();
            if let Some(variable) = unknown.first() {
                let line = line_of(template.source(), variable);
                return Err(TemplateError { file: name.into(), line, message: format!("unknown name {variable:?}") });
            }
        }
        for language in [Language::Zh, Language::En] {
            for template in Template::ALL {
                self.render(template, language, fullest_view())?;
                self.render(template, language, sparest_view(template))?;
            }
        }
        Ok(())
    }
}

fn replace_from(folder: &Path, sources: &mut [(&str, String)]) -> Result<(), TemplateError> {
    let error_in = |path: &Path, message: String| TemplateError { file: path.display().to_string(), line: 0, message };
    let entries = std::fs::read_dir(folder).map_err(|error| error_in(folder, error.to_string()))?;
    for entry in entries {
        let path = entry.map_err(|error| error_in(folder, error.to_string()))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.ends_with(".txt") && !name.ends_with(".html") {
            continue;
        }
        let source = sources.iter_mut().find(|(known, _)| *known == name);
        // A file that replaces no template has a misspelt name; without this error, the built-in text would be sent.
        let (_, text) = source.ok_or_else(|| error_in(&path, "no template has this name".into()))?;
        *text = std::fs::read_to_string(&path).map_err(|error| error_in(&path, error.to_string()))?;
    }
    Ok(())
}

/// The error with its position, but without values, which could identify a customer.
fn located(file: &str, error: &minijinja::Error) -> TemplateError {
    let message = match error.kind() {
        minijinja::ErrorKind::SyntaxError => error.detail().unwrap_or("syntax error").to_owned(),
        kind => kind.to_string(),
    };
    TemplateError { file: error.name().unwrap_or(file).to_owned(), line: error.line().unwrap_or(0), message }
}

/// The first line that contains a word.
fn line_of(source: &str, word: &str) -> usize {
    let is_part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    let names_it = |line: &str| line.split(|c| !is_part_of_word(c)).any(|part| part == word);
    source.lines().position(names_it).map_or(0, |index| index + 1)
}

fn fullest_view() -> View {
    let text = || String::from("x");
    let line = |template: Template| LineView {
        state: template.name(),
        merchant: text(),
        order_id: text(),
        item: Some(text()),
        amount: text(),
        fee: Some(text()),
        due_on: text(),
        days_left: 1,
        days_past_due: 1,
        flag_on: Some(text()),
        fee_after: Some(text()),
        collected_on: Some(text()),
        being_collected: true,
    };
    View {
        scheme: text(),
        contact: Some(text()),
        name: Some(text()),
        today: text(),
        merchant: Some(text()),
        amount: text(),
        total: text(),
        several: true,
        due_on: Some(text()),
        flag_on: Some(text()),
        record: true,
        by_hand: true,
        collected: true,
        lines: Template::ALL.into_iter().map(line).collect(),
        table: None,
        letter: None,
    }
}

fn sparest_view(template: Template) -> View {
    View { lines: vec![LineView { state: template.name(), ..LineView::default() }], ..View::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_with(files: &[(&str, &str)]) -> Result<Templates, String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let loaded = Templates::load(Some(folder.path()));
        loaded.map_err(|error| error.to_string().replace(&format!("{}/", folder.path().display()), ""))
    }

    #[test]
    fn a_wrong_template_is_found_when_it_is_loaded() {
        for (name, text, expected) in [
            ("notice.en.txt", "Subject: x\n\n{% if %}", "notice.en.txt:3: unexpected end of block"),
            ("notice.en.html", "<p>\n{{ amuont }}", "notice.en.html:2: unknown name \"amuont\""),
            // Unknown names are found in a branch that no sample reaches, …
            (
                "notice.en.html",
                "{% if several and not several %}\n{{ amuont }}{% endif %}",
                "notice.en.html:2: unknown name \"amuont\"",
            ),
            // … and among the names of a line.
            (
                "lines.zh.txt",
                "{% for line in lines %}\n{{ line.day }}\n{% endfor %}",
                "lines.zh.txt:2: undefined value",
            ),
            (
                "upcoming.zh.txt",
                "您好",
                "upcoming.zh.txt:1: the first line is not a subject: it begins with \"Subject: \"",
            ),
            ("overdue.zn.txt", "Subject: x", "overdue.zn.txt:0: no template has this name"),
        ] {
            assert_eq!(load_with(&[(name, text)]).err().unwrap(), format!("mail template {expected}"), "{name}");
        }
        assert!(load_with(&[("README.md", "ours"), ("notice.en.txt~", "old")]).is_ok());
        assert!(Templates::load(Some(Path::new("/nowhere"))).is_err());
    }

    #[test]
    fn a_file_in_the_folder_replaces_the_built_in_one() {
        let templates =
            load_with(&[("due_today.en.txt", "Subject: {{ amount }} now\n\nPay {{ amount }}.")]).ok().unwrap();
        let wording = templates.render(Template::DueToday, Language::En, View { amount: "5".into(), ..fullest_view() });
        let wording = wording.ok().unwrap();
        assert_eq!(wording.subject, "5 now");
        assert!(wording.text.contains("\n\nPay 5.\n\n"), "{}", wording.text);
    }
}
