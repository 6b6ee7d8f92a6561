//! Checks the layers of the source: a module imports only from lower layers, and not from its own layer.

use crate::support::imports::Crate;
use crate::support::postgres;

use std::fs;
use std::path::{Path, PathBuf};

use paylater::store::Store;
use sqlx::{Connection, PgConnection};

/// The modules that each top-level module may import. Every other import fails the test.
const ROOMS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("clock", &[]),
    ("calls", &[]),
    ("files", &["domain"]),
    ("store", &["clock", "domain"]),
    ("mail", &["domain"]),
    ("scheme", &["domain", "files"]),
    ("config", &["domain", "files", "scheme"]),
    ("books", &["clock", "domain", "files", "mail", "scheme", "store"]),
    ("jobs", &["books", "clock", "domain", "files", "mail", "scheme", "store"]),
    ("runner", &["books", "calls", "clock", "domain", "jobs", "scheme", "store"]),
    ("views", &["books", "clock", "config", "domain", "files", "jobs", "scheme", "store"]),
    ("alerts", &["books", "calls", "clock", "domain", "mail", "scheme", "store", "views"]),
    ("console", &["books", "clock", "domain", "scheme", "store", "views"]),
    (
        "cli",
        &[
            "alerts", "books", "calls", "clock", "config", "console", "domain", "files", "jobs", "mail", "runner",
            "scheme", "store", "views",
        ],
    ),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Returns every source file with its top-level module and its lines without test code.
fn rooms() -> Vec<(PathBuf, String, String)> {
    let root = root();
    let mut found = Vec::new();
    sources(&root, &mut found);
    found
        .into_iter()
        .filter_map(|path| {
            let inside = path.strip_prefix(&root).unwrap();
            let room =
                inside.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned();
            let text = fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap().to_owned();
            let is_test = inside.to_str().unwrap().ends_with("_tests.rs");
            (room != "main" && room != "lib" && !is_test).then_some((path, room, text))
        })
        .collect()
}

#[test]
fn nothing_points_up() {
    let mut wrong = Vec::new();
    for (path, room, text) in rooms() {
        let allowed = ROOMS.iter().find(|(name, _)| *name == room);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("{}: a room the plan does not have", path.display()));
        for (i, line) in text.lines().enumerate() {
            for used in line.split("crate::").skip(1) {
                let used: String = used.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                if used != room && !allowed.contains(&used.as_str()) {
                    wrong.push(format!("{}:{}: {room} uses {used}", path.display(), i + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The top-level modules whose files may import each other in a circle.
const STILL_IN_CIRCLES: &[&str] = &[];

#[test]
fn no_files_import_each_other_in_a_circle() {
    let root = root();
    let sources: Vec<(String, String)> = rooms()
        .into_iter()
        .map(|(path, _, text)| (path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned(), text))
        .collect();
    let sources = Crate::of(sources.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    let is_exempt = |file: &&str| STILL_IN_CIRCLES.contains(&file.split('/').next().unwrap_or_default());
    let circles: Vec<String> = sources
        .circles()
        .into_iter()
        .filter(|circle| !circle.iter().all(is_exempt))
        .map(|circle| format!("{} files in a circle: {}", circle.len(), circle.join(", ")))
        .collect();
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

#[test]
fn what_belongs_in_one_place_is_only_there() {
    // A text to search for, and the only modules that may contain it.
    let places: &[(&str, &[&str])] = &[
        ("sqlx::", &["store"]),
        ("lettre::", &["mail"]),
        ("Utc::now()", &["clock"]),
        ("SystemTime::now()", &["clock"]),
        ("Local::now()", &[]),
        ("tokio_cron_scheduler::", &["runner"]),
        ("object_store::", &["files"]),
        ("russh_sftp::", &["files"]),
        ("reqwest::", &["calls"]),
        (
            "async fn",
            &["alerts", "calls", "files", "store", "mail", "books", "jobs", "runner", "views", "console", "cli"],
        ),
        ("f64", &[]),
        ("f32", &[]),
        (".unwrap()", &[]),
        ("todo!", &[]),
        ("println!", &["cli"]),
    ];
    let mut wrong = Vec::new();
    for (path, room, text) in rooms() {
        for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            for (what, allowed) in places {
                if line.contains(what) && !allowed.contains(&room.as_str()) {
                    wrong.push(format!("{}:{}: {what} in {room}", path.display(), i + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_says_what_it_is_for() {
    for (path, _, text) in rooms() {
        assert!(text.starts_with("//!"), "{} does not open with //!", path.display());
    }
}

#[test]
fn jobs_have_one_name_everywhere() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<String> = fs::read_dir(manifest.join("jobs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap().trim_end_matches(".toml").to_owned())
        .collect();
    files.sort();
    let mut jobs: Vec<String> = paylater::jobs::Job::ALL.iter().map(|job| job.name().to_owned()).collect();
    jobs.sort();
    assert_eq!(files, jobs);
    for job in jobs {
        let (file, folder) = (root().join(format!("jobs/{job}.rs")), root().join(format!("jobs/{job}/mod.rs")));
        assert!(file.exists() || folder.exists(), "src/jobs has no {job}");
    }
}

/// If two tables compared text in different ways, lookups could not use an index, and lists would have different
/// orders.
#[tokio::test]
async fn all_text_compares_byte_by_byte_on_postgresql() {
    let url = postgres::database().await;
    Store::open(&url, Path::new(".")).await.unwrap().close().await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let sql = "SELECT table_name || '.' || column_name FROM information_schema.columns
               WHERE table_schema = 'public' AND data_type = 'text' AND table_name <> '_sqlx_migrations'
                   AND collation_name IS DISTINCT FROM 'C'";
    let others: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap();
    assert_eq!(others, Vec::<String>::new());
}

#[test]
fn both_engines_have_the_same_migrations_with_a_comment_on_every_column() {
    let names = |engine: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(engine);
        let mut names: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.sort();
        names
    };
    let (sqlite, postgres) = (names("sqlite"), names("postgres"));
    assert_eq!(sqlite.len(), postgres.len());
    for (a, b) in sqlite.iter().zip(&postgres) {
        assert_eq!(a.file_name(), b.file_name());
        let columns = |path: &PathBuf| {
            let text = fs::read_to_string(path).unwrap();
            let named =
                text.lines().filter(|line| line.starts_with("    ") && !line.trim_start().starts_with(['(', 'W', 'P']));
            named.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(columns(a), columns(b), "{}", a.display());
    }
}
