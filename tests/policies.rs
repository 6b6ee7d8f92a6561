//! Policy and configuration files: the refused ones with the line and words of each problem, inheritance, and the
//! schemas for editors. Each example in `tests/policies` has the expected words after `#~`, on the line that they are
//! about.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::Scheme;
use paylater::config::{self, AllProblems, Loaded, Written, written_out};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

const CONFIG: &str = r#"
scheme = { name = "Test", time_zone = "UTC", starts_on = "2026-03-01", clock = "business", home = "run" }
store = { url = "sqlite:paylater.db" }
mail = { transport = "folder", from = "no-reply@example.com" }
merchant = [ { id = "SHOP", name = "Shop", policy = "POLICY" } ]
"#;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/policies")
}

/// Loads a policy for a scheme of one shop.
fn load(policy: &Path) -> anyhow::Result<Loaded> {
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("paylater.toml");
    fs::write(&config, CONFIG.replace("POLICY", &policy.display().to_string()))?;
    config::load(&config)
}

/// Returns the problems as `file:line: words`, by file and line.
fn told(config: anyhow::Result<Loaded>) -> Vec<String> {
    let Err(why) = config else { return Vec::new() };
    let AllProblems(problems) = why.downcast_ref().expect("problems with their places");
    let folder = format!("{}/", examples().display());
    problems.iter().map(|problem| problem.to_string().replace(&folder, "")).collect()
}

/// Returns the problems that the examples expect.
fn expected(files: &[&str]) -> Vec<String> {
    let mut lines = Vec::new();
    for file in files {
        for (i, line) in fs::read_to_string(examples().join(file)).unwrap().lines().enumerate() {
            lines.extend(line.split("  #~ ").skip(1).map(|words| format!("{file}:{}: {words}", i + 1)));
        }
    }
    lines
}

#[track_caller]
fn refused(config: anyhow::Result<Loaded>, files: &[&str]) {
    let (mut told, mut expected) = (told(config), expected(files));
    assert!(!expected.is_empty(), "nothing is expected of {files:?}");
    told.sort();
    expected.sort();
    assert_eq!(told, expected);
}

#[test]
fn every_refusal_names_file_line_and_what_to_write() {
    for file in [
        "keys.toml",
        "ranges.toml",
        "contradictions.toml",
        "nothing.toml",
        "not-toml.toml",
        "late-fees.toml",
        "collecting.toml",
        "due-dates.toml",
    ] {
        refused(load(&examples().join(file)), &[file]);
    }
}

#[test]
fn what_is_inherited_is_told_where_it_stands() {
    refused(load(&examples().join("inherited.toml")), &["inherited.toml", "inherited/base.toml"]);
}

#[test]
fn everything_wrong_with_the_configuration_is_told_at_once() {
    let jobs = ["watch_feeds", "collect_debits", "close_day", "send_reminders"].map(|job| format!("jobs/{job}.toml"));
    let mut files = vec!["paylater.toml"];
    files.extend(jobs.iter().map(String::as_str));
    refused(config::load(&examples().join("paylater.toml")), &files);
}

#[test]
fn no_example_is_left_out() {
    let mut names: Vec<String> = fs::read_dir(examples())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".toml"))
        .collect();
    names.sort();
    let known = [
        "collecting",
        "contradictions",
        "due-dates",
        "inherited",
        "keys",
        "late-fees",
        "not-toml",
        "nothing",
        "paylater",
        "ranges",
    ];
    assert_eq!(names, known.map(|name| format!("{name}.toml")));
}

#[test]
fn check_tells_what_each_version_inherits() {
    let scheme = Scheme::sample();
    let text = scheme.run(&["check", "--policy", "BOOK"]);
    insta::assert_snapshot!("check_policy", text.replace(&format!("{}/", scheme.folder.path().display()), ""));
    let text = scheme.run(&["--json", "check"]);
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    let text = serde_json::to_string_pretty(&answer["policies"]).unwrap();
    insta::assert_snapshot!("check_json", text.replace(&format!("{}/", scheme.folder.path().display()), ""));
}

#[test]
fn check_tells_programs_what_is_wrong() {
    let scheme = Scheme::sample();
    let policy = scheme.read("sample-data/policies/base.toml").replace("flag_after = 5", "flag_after = -5");
    scheme.write("sample-data/policies/base.toml", policy);
    let text = json_of(&scheme.run_failing(&["--json", "check"], 2));
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer["ok"], false);
    // Two policies inherit the problem; it is reported once.
    assert_eq!(answer["problems"].as_array().map(Vec::len), Some(1), "{text}");
    let problem = &answer["problems"][0];
    assert_eq!((&problem["line"], &problem["key"]), (&35.into(), &"credit.flag_after".into()), "{text}");
}

/// Returns the JSON of the output, without the error message after it.
fn json_of(output: &str) -> String {
    output.split("error:").next().unwrap().to_owned()
}

#[test]
fn a_changed_base_is_noticed_like_a_changed_policy() {
    let scheme = Scheme::sample();
    scheme.close("2026-03-02");
    let base = scheme.read("sample-data/policies/base.toml");
    // The policy written out in full has the same terms.
    let full = scheme.run(&["check", "--policy", "TEA"]);
    let policy = scheme.read("sample-data/policies/tea.toml");
    scheme.write("sample-data/policies/tea.toml", full);
    scheme.close("2026-03-03");
    scheme.write("sample-data/policies/tea.toml", policy);
    // A later version of the base changes no merchant's terms.
    let later =
        base.clone() + "\n[[version]]\neffective_from = \"2026-03-01\"\nsame_as = \"2026-01-01\"\nrefund_window = 1\n";
    scheme.write("sample-data/policies/base.toml", later);
    scheme.close("2026-03-04");
    // A version that orders were decided on must not change.
    scheme.write("sample-data/policies/base.toml", base.replace("days = 14", "days = 15"));
    let text = scheme.run_failing(&["close", "--through", "2026-03-05"], 1);
    assert!(text.contains("was changed after orders were decided on it"), "{text}");
}

/// The keys that a layer of a policy can have, each with a few values.
const SAYINGS: &[&[&str]] = &[
    &["payable_after = 1", "payable_after = 2", "payable_after = 3"],
    &["refund_window = 7", "refund_window = 30", "refund_window = false"],
    &["cut_off = \"22:00\"", "cut_off = false"],
    &["freeze_when_overdue = 5", "freeze_when_overdue = false"],
    &["bands = [{ score = 1, limit = \"5.00\", term = 3 }]", "bands = [{ score = 2, limit = 9, term = 4 }]"],
    &["late_fee.grace = 2", "late_fee = { kind = \"flat\", amount = \"5.00\" }", "late_fee.cap_order_share = \"0.10\""],
    &["extension = { times = 1, days = 7, when_overdue = true }", "extension = false"],
    &[
        "holds.return = { days = 3, effects = [\"fees\"] }",
        "holds.dispute = { days = 4, effects = [\"contact\", \"credit\"] }",
        "holds = false",
    ],
    &["reminders.steps = [-1, 0]", "reminders = false"],
    &["credit = { notice_after = 1, flag_after = 2 }", "credit = false"],
    &["debit = { retry_after = [1, 3] }", "debit = { days_before = 2 }", "debit = false"],
    &["pay_out = { after = 2, retry_after = \"until_success\", retry_at_most = 3 }", "pay_out = false"],
    &["write_off = { after = 90 }", "write_off = false"],
];

const START: &str = "currency = \"CNY\"\nclock = \"confirmed\"\nbands = [{ score = 0, limit = 1, term = 0 }]\n\
                     late_fee = { kind = \"daily\", rate = \"0.0005\" }\n";

/// A random layer: for each key, the index of its value, if the layer has the key.
fn layer() -> impl Strategy<Value = Vec<Option<usize>>> {
    SAYINGS.iter().map(|values| proptest::option::of(0..values.len())).collect::<Vec<_>>()
}

fn saying(layer: &[Option<usize>]) -> String {
    let said = SAYINGS.iter().zip(layer).filter_map(|(values, at)| at.map(|at| values[at]));
    said.map(|line| format!("{line}\n")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, rng_seed: RngSeed::Fixed(2026), ..ProptestConfig::default() })]

    #[test]
    fn terms_written_out_are_the_same_terms(base in layer(), first in layer(), second in layer()) {
        let folder = tempfile::tempdir().unwrap();
        // A layer with `late_fee` in a dotted key can't also have the table `late_fee`. So the start is a separate
        // version.
        let base_text = format!(
            "[[version]]\neffective_from = \"2025-01-01\"\n{START}[[version]]\neffective_from = \"2025-06-01\"\n\
             same_as = \"2025-01-01\"\n{}", saying(&base));
        let text = format!(
            "base = \"base.toml\"\n[[version]]\neffective_from = \"2026-01-01\"\n{}[[version]]\n\
             effective_from = \"2026-02-01\"\nsame_as = \"2026-01-01\"\n{}", saying(&first), saying(&second));
        fs::write(folder.path().join("base.toml"), base_text).unwrap();
        let path = folder.path().join("policy.toml");
        fs::write(&path, &text).unwrap();
        let inherited = load(&path).unwrap();
        fs::write(&path, written_out(&inherited.policies[0])).unwrap();
        let (inherited, full) = (inherited.scheme, load(&path).unwrap().scheme);
        let inherited = &inherited.merchants[0];
        prop_assert_eq!(&inherited.policy, &full.merchants[0].policy);
        prop_assert_eq!(&inherited.fingerprints, &full.merchants[0].fingerprints);

        // The innermost layer with a key decides its value.
        let innermost = |key: usize, layers: &[&Vec<Option<usize>>]| layers.iter().rev().find_map(|layer| layer[key]);
        for (version, layers) in [(0, vec![&base, &first]), (1, vec![&base, &first, &second])] {
            let terms = &inherited.policy.versions[version];
            prop_assert_eq!(terms.payable_after, [0, 1, 2, 3][innermost(0, &layers).map_or(0, |at| at + 1)]);
            prop_assert_eq!(terms.refund_window, [None, Some(7), Some(30), None][innermost(1, &layers).map_or(0, |at| at + 1)]);
            prop_assert_eq!(terms.bands[0].limit_minor, [100, 500, 900][innermost(4, &layers).map_or(0, |at| at + 1)]);
            prop_assert_eq!(terms.extension.is_some(), innermost(6, &layers) == Some(0));
            prop_assert_eq!(terms.credit.is_some(), innermost(9, &layers) == Some(0));
        }
    }
}

#[test]
fn the_schemas_in_the_documentation_are_current() {
    for kind in Written::ALL {
        let path = format!("docs/schemas/{}.json", kind.name());
        let written = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&path)).unwrap_or_default();
        let current = serde_json::to_string_pretty(&kind.schema()).unwrap() + "\n";
        assert!(written == current, "paylater check --schema {} > {path}", kind.name());
    }
}

#[test]
fn the_schemas_take_what_the_program_takes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let toml_files = |folder: &str| -> Vec<PathBuf> {
        let entries = fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect()
    };
    let good = [
        (Written::Policy, toml_files("sample-data/policies")),
        (Written::Policy, vec![examples().join("inherited/good.toml")]),
        (Written::Config, vec![root.join("sample-data/paylater.toml")]),
        (Written::Job, toml_files("jobs")),
    ];
    for (kind, files) in good {
        assert!(!files.is_empty());
        for file in files {
            assert_eq!(complaints(kind, &file), Vec::<String>::new(), "{}", file.display());
        }
    }
    let mut bad: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    bad.insert("keys.toml", complaints(Written::Policy, &examples().join("keys.toml")));
    bad.insert("close_day.toml", complaints(Written::Job, &examples().join("jobs/close_day.toml")));
    assert!(bad["keys.toml"].contains(&"/version/0/bands/0/score".to_owned()), "{bad:?}");
    assert!(bad["close_day.toml"].contains(&"/catch_up".to_owned()), "{bad:?}");
}

/// Returns the errors that an independent validator finds in a file.
fn complaints(kind: Written, file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    let value = serde_json::to_value(toml::from_str::<toml::Table>(&text).unwrap()).unwrap();
    let schema = kind.schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut found: Vec<String> = validator.iter_errors(&value).map(|why| why.instance_path().to_string()).collect();
    found.dedup();
    found
}

#[test]
fn files_that_come_along_name_their_schema() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in [
        "sample-data/paylater.toml",
        "sample-data/policies/tea.toml",
        "sample-data/policies/base.toml",
        "jobs/close_day.toml",
        "profiles/canonical.toml",
        "profiles/wechat-trade-bill.toml",
    ] {
        let text = fs::read_to_string(root.join(file)).unwrap();
        let schema =
            text.lines().next().and_then(|line| line.strip_prefix("#:schema ")).unwrap_or_else(|| panic!("{file}"));
        assert!(root.join(file).parent().unwrap().join(schema).exists(), "{file}: {schema}");
    }
}
