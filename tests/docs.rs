//! Checks the documentation against the code: every link has a target, the README has its two commands word for word
//! and a scheme that works, and every code, column and key is documented.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use paylater::domain::intake::code::{DeclineCode, ExceptionCode};
use paylater::views::status_check::TroubleCode;

use crate::support::Scheme;
use crate::support::source::{quoted, read, root, rust_files, table_below as table_of, without_tests};

const PAGES: &[&str] = &[
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs/configuration.md",
    "docs/console.md",
    "docs/file-formats.md",
    "docs/for-finance.md",
    "docs/glossary.md",
    "docs/json.md",
    "docs/mail-templates.md",
    "docs/operating.md",
    "docs/performance.md",
    "docs/profiles.md",
    "docs/releasing.md",
    "docs/rules.md",
    "docs/runbook.md",
    "docs/schemes.md",
    "sample-data/README.md",
];

#[test]
fn relative_links_lead_somewhere() {
    let mut broken = Vec::new();
    for page in PAGES {
        for target in links(&read(page)) {
            if target.contains("://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let folder = Path::new(page).parent().unwrap_or(Path::new(""));
            let path = if file.is_empty() { PathBuf::from(page) } else { folder.join(file) };
            if !root().join(&path).exists() {
                broken.push(format!("{page}: {target}"));
            } else if !anchor.is_empty() && !anchors(&read(&path)).contains(anchor) {
                broken.push(format!("{page}: {target}, no such heading"));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn the_readme_has_the_two_commands() {
    let readme = read("README.md");
    for command in ["cargo run --release -- --config sample-data/paylater.toml close --through 2026-03-31", ".ci/test"]
    {
        assert!(readme.contains(&format!("```\n{command}\n```\n")), "no code block of its own for {command}");
    }
}

#[test]
fn the_readme_has_a_scheme_that_works() {
    let readme = read("README.md");
    let (_, section) = readme.split_once("## Your own data").expect("a section on one's own data");
    let section = section.split("\n## ").next().unwrap();
    let names: Vec<&str> = section.split('`').filter(|text| text.starts_with("my-scheme/")).collect();
    let blocks: Vec<&str> = section
        .split("```")
        .skip(1)
        .step_by(2)
        .filter_map(|block| block.strip_prefix("toml\n").or(block.strip_prefix("csv\n")))
        .collect();
    assert_eq!(names.len(), blocks.len(), "a name for each file: {names:?}");
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("my-scheme/inbox")).unwrap();
    let scheme = Scheme { config: folder.path().join("my-scheme/paylater.toml"), folder, env: Vec::new() };
    for (name, block) in names.iter().zip(blocks) {
        scheme.write(name, block);
    }
    scheme.run(&["check"]);
    scheme.close("2026-03-14");
    let teapot = scheme.run(&["explain", "O1"]);
    assert_eq!(teapot.matches("  mail ").count(), 3, "{teapot}");
    assert!(teapot.contains("late fee of 5.00 GBP charged") && teapot.contains("paid 4 days late"), "{teapot}");
    assert!(scheme.run(&["explain", "O2"]).contains("OVER_LIMIT"));
}

#[test]
fn every_code_is_explained() {
    let page = read("docs/file-formats.md");
    let section = |name: &str| page.split("\n### ").find(|section| section.starts_with(name)).unwrap_or_default();
    let declines = section("Orders declined");
    let missing: Vec<_> = DeclineCode::all().filter(|code| !declines.contains(&format!("| `{code}` |"))).collect();
    assert!(missing.is_empty(), "\"Orders declined\" in docs/file-formats.md does not explain {missing:?}");
    // The codes of rows and files are among those of exceptions.
    let missing: Vec<_> = ExceptionCode::all().filter(|code| !page.contains(&format!("`{code}`"))).collect();
    assert!(missing.is_empty(), "docs/file-formats.md does not mention {missing:?}");
}

/// A code that is still written as a text somewhere is not in the enums, so no test asks for its documentation.
#[test]
fn codes_are_texts_in_their_enums_alone() {
    let mut elsewhere = Vec::new();
    for path in rust_files(Path::new("src")).into_iter().filter(|path| !path.ends_with("domain/intake/code.rs")) {
        let texts = quoted(&without_tests(&read(&path)));
        elsewhere.extend(
            texts.into_iter().filter(|text| ExceptionCode::parse(text).is_some()).map(|text| (path.clone(), text)),
        );
    }
    assert!(elsewhere.is_empty(), "codes written as texts: {elsewhere:?}");
    // Conditions of partial indexes need codes as texts in SQL.
    let sql = read("src/store/exceptions.rs");
    let in_sql: Vec<&str> = sql
        .split('\'')
        .filter(|text| text.contains('_') && text.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        .collect();
    let unknown: Vec<_> = in_sql.iter().filter(|text| ExceptionCode::parse(text).is_none()).collect();
    assert!(in_sql.contains(&"FILE_MISSING") && unknown.is_empty(), "no codes of exceptions: {unknown:?}");
}

/// The codes in `docs/file-formats.md` that open an exception: rows with an X, and the tables of exceptions alone.
fn codes_of_exceptions() -> BTreeSet<String> {
    let page = read("docs/file-formats.md");
    let mut codes = BTreeSet::from(["NOT_FULFILLED".to_owned()]);
    for table in ["Rows", "Files"] {
        let rows = page.lines().skip_while(|line| *line != format!("### {table}")).skip(1);
        for row in rows.take_while(|line| !line.starts_with('#')) {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let [_, code, outcome, opens, ..] = cells.as_slice() else { continue };
            if code.starts_with('`') && (opens.starts_with('X') || outcome.contains("X (")) {
                codes.insert(code.trim_matches('`').to_owned());
            }
        }
    }
    for table in ["Mails", "Instructions"] {
        codes.extend(table_of(&page, table).into_iter().map(|(code, _)| code));
    }
    codes
}

#[test]
fn the_runbook_has_every_exception_and_every_alert() {
    let page = read("docs/runbook.md");
    let exceptions = codes_of_exceptions();
    let is_row_or_file = |code: &ExceptionCode| matches!(code, ExceptionCode::Row(_) | ExceptionCode::File(_));
    let undescribed: Vec<_> =
        ExceptionCode::all().filter(|code| !is_row_or_file(code) && !exceptions.contains(code.name())).collect();
    assert!(undescribed.is_empty(), "docs/file-formats.md does not say that {undescribed:?} open exceptions");
    let alerts = TroubleCode::ALL.map(|code| code.name().to_owned());
    let all = exceptions.into_iter().chain(alerts);
    let missing: Vec<_> = all.filter(|code| !page.contains(&format!("`{code}`"))).collect();
    assert!(missing.is_empty(), "docs/runbook.md does not say what to do about {missing:?}");
}

#[test]
fn alerts_say_what_to_do_in_the_runbooks_words() {
    let page = read("docs/runbook.md");
    for code in TroubleCode::ALL {
        let row = format!("| `{}` | {} |", code.name(), code.remedy());
        assert!(page.contains(&row), "docs/runbook.md has no row that begins: {row}");
    }
}

#[test]
fn every_report_column_is_described_in_its_place() {
    let page = read("docs/file-formats.md");
    for report in [
        "summary",
        "detail",
        "positions",
        "settlement",
        "matching",
        "debit_instructions",
        "credit_payouts",
        "exceptions",
        "credit_impact",
    ] {
        let source = read(Path::new("src/files/reports").join(format!("{report}.rs")));
        let header = list_after(&source, "HEADER");
        assert!(!header.is_empty(), "{report} has no HEADER any more");
        let described: Vec<String> =
            table_of(&page, &report.replace('_', "-")).into_iter().map(|(column, _)| column).collect();
        assert_eq!(described, header, "columns of {report}");
    }
}

#[test]
fn every_column_that_a_file_must_have_is_described_in_its_place() {
    let page = read("docs/file-formats.md");
    for (kind, source, list) in [
        ("customers", "customers.rs", "const COLUMNS"),
        ("agreements", "customers.rs", "const AGREEMENT_COLUMNS"),
        ("orders", "orders.rs", "const COLUMNS"),
        ("fulfilments", "facts.rs", "const FULFILMENT_COLUMNS"),
        ("holds", "facts.rs", "const HOLD_COLUMNS"),
        ("extensions", "facts.rs", "const EXTENSION_COLUMNS"),
        ("payments", "facts.rs", "const PAYMENT_COLUMNS"),
        ("debit_results", "results.rs", "const DEBIT_COLUMNS"),
        ("refunds", "facts.rs", "const REFUND_COLUMNS"),
        ("bills", "bills.rs", "const COLUMNS"),
        ("chargebacks", "facts.rs", "const CHARGEBACK_COLUMNS"),
        ("waivers", "facts.rs", "const WAIVER_COLUMNS"),
        ("payout_results", "results.rs", "const PAYOUT_COLUMNS"),
        ("corrections", "corrections.rs", "const COLUMNS"),
    ] {
        let required = list_after(&read(Path::new("src/files/rows").join(source)), list);
        assert!(!required.is_empty(), "{source} has no {list} any more");
        let described = table_of(&page, kind).into_iter().filter(|(_, note)| note != "optional");
        let described: Vec<String> = described.map(|(column, _)| column).collect();
        assert_eq!(described, required, "required columns of {kind}");
    }
}

#[test]
fn every_key_of_configuration_is_described() {
    let pages = read("docs/configuration.md") + &read("docs/rules.md") + &read("docs/profiles.md");
    let mut missing = Vec::new();
    let mut count = 0;
    for source in rust_files(Path::new("src/config")) {
        for key in raw_keys(&without_tests(&read(&source))) {
            count += 1;
            let forms = [format!("`{key}`"), format!("`[{key}]`"), format!("`[[{key}]]`"), format!("[version.{key}")];
            // A list such as `{ score, limit, term }` has several keys.
            let in_list = [format!("{{ {key},"), format!(", {key},"), format!(", {key} }}")];
            if !forms.iter().chain(&in_list).any(|form| pages.contains(form.as_str())) {
                missing.push(format!("{}: {key}", source.display()));
            }
        }
    }
    assert!(count > 50, "keys are not found any more: {count}");
    assert!(missing.is_empty(), "keys that no page mentions:\n{}", missing.join("\n"));
}

#[test]
fn every_name_in_mail_templates_is_described() {
    let page = read("docs/mail-templates.md");
    let fields = read("src/mail/view.rs");
    let names: Vec<&str> = fields
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(": "))
        .map(|(name, _)| name)
        .collect();
    assert!(names.len() > 40, "{names:?}");
    let missing: Vec<_> = names.into_iter().filter(|name| !page.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "names that docs/mail-templates.md does not have: {missing:?}");
}

#[test]
fn every_variable_of_the_environment_is_described() {
    let page = read("docs/configuration.md");
    let mut missing = BTreeSet::new();
    for path in rust_files(Path::new("src")) {
        let names = quoted(&without_tests(&read(&path))).into_iter().filter(|text| text.starts_with("PAYLATER_"));
        missing.extend(names.filter(|name| !page.contains(&format!("`{name}`"))));
    }
    assert!(missing.is_empty(), "docs/configuration.md does not mention {missing:?}");
}

/// Returns the texts in the list that a constant is set to.
fn list_after(source: &str, constant: &str) -> Vec<String> {
    let Some((_, rest)) = source.split_once(constant) else { return Vec::new() };
    let Some((_, rest)) = rest.split_once('=') else { return Vec::new() };
    quoted(rest.split("];").next().unwrap_or_default())
}

/// Returns the keys of the structs that configuration is read into, with their names in files.
fn raw_keys(source: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let mut inside = false;
    let mut renamed: Option<String> = None;
    // A flattened field is no key itself: its struct's fields are the keys.
    let source = source.replace("#[serde(flatten)]\n    rule: RawRule", "");
    for line in source.lines() {
        let line = line.trim();
        if line.contains("struct Raw") {
            inside = line.ends_with('{');
        } else if line.starts_with("///") {
            continue;
        } else if line == "}" {
            inside = false;
        } else if inside && line.starts_with("#[serde") {
            renamed = line.split_once("rename = \"").and_then(|(_, rest)| Some(rest.split_once('"')?.0.to_owned()));
        } else if inside && let Some((field, _)) = line.split_once(": ") {
            let field = field.trim_start_matches("pub ").to_owned();
            keys.push(renamed.take().unwrap_or(field));
        }
    }
    keys
}

/// Returns the targets of a page's links, except in code.
fn links(page: &str) -> Vec<String> {
    let mut targets = Vec::new();
    let mut in_code = false;
    for line in page.lines() {
        if line.starts_with("```") {
            in_code = !in_code;
        }
        if in_code || line.starts_with("    ") {
            continue;
        }
        let ends = line.split("](").skip(1);
        targets.extend(ends.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target.to_owned()));
    }
    targets
}

/// Returns the anchors of a page's headings: lower case, words joined by hyphens, without other signs.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}
