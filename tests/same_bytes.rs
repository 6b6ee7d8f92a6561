//! The same inputs give the same bytes under another time zone, language, umask and number of threads, with the files of a day
//! put into the inboxes in another order, and on PostgreSQL: reports, answers, mails, exports, workbooks and statements.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::support::{OUTPUTS, Scheme, assert_same, files_below};

/// How the program is run.
struct Surroundings {
    umask: &'static str,
    env: &'static [(&'static str, &'static str)],
}

const USUAL: Surroundings = Surroundings { umask: "022", env: &[("TZ", "Asia/Shanghai"), ("LANG", "C.UTF-8")] };

const OTHER: Surroundings = Surroundings {
    umask: "077",
    env: &[
        ("TZ", "America/St_Johns"),
        ("LANG", "zh_CN.GB18030"),
        ("LC_ALL", "tr_TR.UTF-8"),
        ("TOKIO_WORKER_THREADS", "1"),
        ("COLUMNS", "40"),
    ],
};

const THIRD: Surroundings = Surroundings {
    umask: "000",
    env: &[("TZ", "Pacific/Apia"), ("LANG", "ar_EG.UTF-8"), ("TOKIO_WORKER_THREADS", "13")],
};

/// Runs a command of the program in these surroundings, and returns its standard output.
fn run(scheme: &Scheme, surroundings: &Surroundings, arguments: &[&str]) -> Vec<u8> {
    let of_scheme = scheme.command(arguments);
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("umask {} && exec \"$@\"", surroundings.umask)).arg("sh");
    command.arg(of_scheme.get_program()).args(of_scheme.get_args());
    for (name, value) in of_scheme.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let output = command.envs(surroundings.env.iter().copied()).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Closes the sample's month, writes everything that can be written, and returns it.
fn all_files(scheme: &Scheme, surroundings: &Surroundings) -> BTreeMap<String, Vec<u8>> {
    run(scheme, surroundings, &["close", "--through", "2026-03-31"]);
    let papers = scheme.path("papers").display().to_string();
    run(scheme, surroundings, &["workbook", "--month", "2026-03", "--into", &papers]);
    run(scheme, surroundings, &["statement", "--month", "2026-03", "--lang", "zh", "--into", &papers]);
    let again = scheme.path("papers/again").display().to_string();
    run(scheme, surroundings, &["reports", "--date", "2026-03-24", "--into", &again]);
    let mut files = files_below(&scheme.path("sample-run"), &OUTPUTS);
    files.extend(files_below(&scheme.path(""), &["papers"]));
    for format in ["csv", "hledger", "beancount", "json"] {
        files.insert(format!("journal.{format}"), run(scheme, surroundings, &["journal", "--format", format]));
    }
    files.insert("explain".to_owned(), run(scheme, surroundings, &["--json", "explain", "T-STAR"]));
    files
}

fn all_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all_below(&path, found) } else { found.push(path) }
    }
}

/// Puts the files of every inbox there again, those that come last by name first and as the oldest.
fn in_another_order(scheme: &Scheme) {
    let mut files = Vec::new();
    all_below(&scheme.path("sample-data/inbox"), &mut files);
    files.sort();
    let files: Vec<(PathBuf, Vec<u8>)> =
        files.into_iter().rev().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    assert!(files.len() > 200, "{}", files.len());
    for (path, _) in &files {
        fs::remove_file(path).unwrap();
    }
    let begun = SystemTime::now() - Duration::from_secs(86_400);
    for ((path, bytes), seconds) in files.iter().zip(0..) {
        fs::write(path, bytes).unwrap();
        File::options().write(true).open(path).unwrap().set_modified(begun + Duration::from_secs(seconds)).unwrap();
    }
}

#[tokio::test]
async fn where_and_how_the_program_runs_changes_no_byte() {
    let usual = all_files(&Scheme::sample(), &USUAL);
    assert!(usual.len() > 1_000 && usual.keys().any(|name| name.ends_with(".xlsx")), "{}", usual.len());
    let reordered = Scheme::sample();
    in_another_order(&reordered);
    assert_same(&usual, &all_files(&reordered, &OTHER));
    assert_same(&usual, &all_files(&Scheme::sample().on_postgres().await, &THIRD));
}
