//! `paylater init`: a new scheme passes `check`, closes its first day without a rejected row, and is valid against the
//! schemas that its files name. Runs the real program.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value as Json;

use crate::support::{Scheme, files_below};

fn init(folder: &Path, options: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_paylater"));
    for name in ["PAYLATER_CONFIG", "PAYLATER_STORE_URL", "LC_ALL", "LC_MESSAGES", "LANG"] {
        command.env_remove(name);
    }
    command.arg("init").arg(folder).args(options).stdin(Stdio::null()).output().unwrap()
}

/// Begins a scheme in a new folder.
fn begun(options: &[&str]) -> Scheme {
    let folder = tempfile::tempdir().unwrap();
    let output = init(&folder.path().join("new"), options);
    assert!(output.status.success(), "{options:?}: {}", String::from_utf8_lossy(&output.stderr));
    let config = folder.path().join("new/paylater.toml");
    Scheme { folder, config, env: Vec::new() }
}

fn closes_its_first_day(scheme: &Scheme, day: &str) {
    scheme.run(&["check"]);
    scheme.close(day);
    let status: Json = serde_json::from_str(&scheme.run(&["--json", "status"])).unwrap();
    let rows = &status["rows"];
    assert_eq!(status["last_sealed"]["business_date"], day);
    assert_eq!((&rows["rejected"], &rows["pending"], &rows["declined"]), (&0.into(), &0.into(), &1.into()), "{rows}");
    assert_eq!(status["open_exceptions"], serde_json::json!({}));
    let glance: Json = serde_json::from_str(&scheme.run(&["--json", "customer", "C1"])).unwrap();
    assert!(glance["merchants"][0]["orders"][0]["instalments"][0]["due_on"].is_string(), "{glance}");
    scheme.run(&["verify"]);
}

#[test]
fn a_new_scheme_closes_its_first_day() {
    for options in [
        &["--starts-on", "2026-03-02"][..],
        &["--starts-on", "2026-03-02", "--lang", "zh"],
        &["--starts-on", "2026-03-02", "--currency", "JPY", "--time-zone", "Asia/Tokyo", "--merchant", "T-1"],
        &["--starts-on", "2026-03-02", "--currency", "KWD", "--name", "a\"b <c>, {{ d }}"],
    ] {
        let scheme = begun(options);
        closes_its_first_day(&scheme, "2026-03-02");
    }
}

#[test]
fn in_its_folder_a_scheme_need_not_be_named() {
    let scheme = begun(&["--starts-on", "2026-03-02"]);
    let check_in = |folder: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_paylater"));
        command.env_remove("PAYLATER_CONFIG").current_dir(folder).arg("check").output().unwrap()
    };
    assert!(check_in(scheme.config.parent().unwrap()).status.success());
    let elsewhere = check_in(scheme.folder.path());
    assert_eq!(elsewhere.status.code(), Some(2));
    let said = String::from_utf8_lossy(&elsewhere.stderr);
    assert!(said.contains("--config FILE or PAYLATER_CONFIG, or change to the folder of its paylater.toml"), "{said}");
}

#[tokio::test]
async fn a_new_scheme_closes_its_first_day_on_postgres() {
    let scheme = begun(&["--starts-on", "2026-03-02"]).on_postgres().await;
    closes_its_first_day(&scheme, "2026-03-02");
}

#[test]
fn the_same_answers_write_the_same_files() {
    let files = || files_below(&begun(&["--starts-on", "2026-03-02"]).folder.path().join("new"), &[""]);
    assert_eq!(files(), files());
}

#[test]
fn a_first_day_that_is_not_named_is_over_already() {
    let scheme = begun(&[]);
    let config = scheme.read("new/paylater.toml").replace("clock = \"business\"", "clock = \"wall\"");
    scheme.write("new/paylater.toml", config);
    let first = scheme.read("new/paylater.toml");
    let first = first.split("starts_on = \"").nth(1).unwrap()[..10].to_owned();
    closes_its_first_day(&scheme, &first);
}

#[test]
fn its_files_are_valid_against_the_schemas_they_name() {
    let scheme = begun(&["--starts-on", "2026-03-02"]);
    let mut checked = 0;
    for (name, bytes) in files_below(&scheme.path("new"), &[""]) {
        let Some(path) = name.strip_suffix(".toml") else { continue };
        let text = String::from_utf8(bytes).unwrap();
        let schema =
            text.lines().next().unwrap().strip_prefix("#:schema ").unwrap_or_else(|| panic!("{path} names none"));
        let schema = scheme.path("new").join(&name).parent().unwrap().join(schema);
        let schema: Json = serde_json::from_slice(&fs::read(schema).unwrap()).unwrap();
        let value: toml::Value = toml::from_str(&text).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let wrong: Vec<String> =
            validator.iter_errors(&serde_json::to_value(value).unwrap()).map(|why| why.to_string()).collect();
        assert_eq!(wrong, Vec::<String>::new(), "{name}");
        checked += 1;
    }
    assert_eq!(checked, 5);
}

#[test]
fn what_it_refuses() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mine"), "").unwrap();
    let new = folder.path().join("new");
    for (target, options, status, expected) in [
        (folder.path(), &[][..], 1, "is not empty"),
        (new.as_path(), &["--currency", "ABC"], 2, "there is no currency \"ABC\""),
        (&new, &["--time-zone", "Berlin"], 2, "there is no time zone \"Berlin\""),
        (&new, &["--merchant", "my shop"], 2, "a merchant's id has"),
    ] {
        let output = init(target, options);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(status), "{said}");
        assert!(said.contains(expected), "{said}");
        assert!(!new.exists(), "{options:?} wrote something");
    }
}
