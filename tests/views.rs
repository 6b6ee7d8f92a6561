//! Checks the output of `--json` against the schemas of the views.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use paylater::views::schema::{VIEWS, View};
use serde_json::{Value as Json, json};

use crate::support::Scheme;
use crate::support::source::read;

/// Checks printed documents, and collects the names of their views.
struct Printed<'s> {
    scheme: &'s Scheme,
    seen: BTreeSet<&'static str>,
}

impl Printed<'_> {
    /// Runs a command with `--json`. Expects one document of a view, or one document on each line.
    fn documents(&mut self, view: &str, arguments: &[&str]) -> Vec<Json> {
        self.documents_of_status(view, arguments, 0)
    }

    fn documents_of_status(&mut self, view: &str, arguments: &[&str], status: i32) -> Vec<Json> {
        let output = self.scheme.command(&[&["--json"], arguments].concat()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
        let documents: Vec<Json> = serde_json::Deserializer::from_slice(&output.stdout)
            .into_iter()
            .collect::<Result<_, _>>()
            .unwrap_or_else(|why| panic!("{arguments:?}: {why}: {}", String::from_utf8_lossy(&output.stdout)));
        assert!(!documents.is_empty(), "{arguments:?} prints nothing");
        let view = View::named(view).unwrap_or_else(|| panic!("there is no {view}"));
        let mut schema = view.schema();
        close_objects(&mut schema);
        let validator = jsonschema::validator_for(&schema).unwrap();
        for document in &documents {
            let wrong: Vec<String> =
                validator.iter_errors(document).map(|why| format!("{}: {why}", why.instance_path())).collect();
            assert_eq!(wrong, Vec::<String>::new(), "{arguments:?}");
            assert_eq!(document["version"], 1);
        }
        self.seen.insert(view.name);
        documents
    }

    fn document(&mut self, view: &str, arguments: &[&str]) -> Json {
        let documents = self.documents(view, arguments);
        assert_eq!(documents.len(), 1, "{arguments:?}");
        documents.into_iter().next().unwrap()
    }
}

/// Makes a schema reject unknown fields. Other programs must ignore them, but here the schema must have every field.
fn close_objects(schema: &mut Json) {
    match schema {
        Json::Array(items) => items.iter_mut().for_each(close_objects),
        Json::Object(object) => {
            if object.contains_key("properties") {
                object.entry("additionalProperties").or_insert(json!(false));
            }
            object.values_mut().for_each(close_objects);
        }
        _ => {}
    }
}

#[test]
fn every_command_prints_what_its_schema_says() {
    let scheme = Scheme::sample();
    let mut printed = Printed { scheme: &scheme, seen: BTreeSet::new() };
    let check = printed.document("view-check", &["check"]);
    assert_eq!((&check["ok"], check["policies"].as_array().map(Vec::len)), (&true.into(), Some(3)), "{check}");
    let terms = printed.document("view-check-policy", &["check", "--policy", "BOOK"]);
    let version = &terms["versions"][0];
    let source = &version["sources"]["currency"];
    assert!(version["terms"]["currency"] == "CNY" && source["line"].is_u64(), "{version}");

    let ingested = printed.document("view-job", &["job", "ingest_files"]);
    assert_eq!((&ingested["dry_run"], &ingested["part_of_close"]), (&false.into(), &false.into()));
    assert!(ingested["done"].as_object().is_some_and(|done| !done.is_empty()), "{ingested}");
    let would = printed.document("view-job", &["job", "send_reminders", "--dry-run"]);
    assert_eq!(would["dry_run"], true);

    let closed = printed.document("view-close", &["close", "--through", "2026-03-20"]);
    assert_eq!((&closed["days"], &closed["business_date"]), (&20.into(), &"2026-03-21".into()));
    assert!(closed["late_fees"][0]["minor"].is_i64() && closed["late_fees"][0]["currency"] == "CNY", "{closed}");
    let again = printed.document("view-close", &["close", "--through", "2026-03-20"]);
    assert_eq!((&again["days"], &again["last"], &again["example"]), (&0.into(), &Json::Null, &Json::Null));
    let example = |field: &str| closed["example"][field].as_str().unwrap().to_owned();
    let story =
        printed.document("view-explain", &["explain", &example("order_id"), "--merchant", &example("merchant_id")]);
    assert!(!story["instalments"].as_array().unwrap().is_empty(), "{story}");

    let status = printed.document("view-status", &["status"]);
    assert_eq!((&status["begun"], &status["last_sealed"]["business_date"]), (&true.into(), &"2026-03-20".into()));
    let check = printed.documents_of_status("view-status-check", &["status", "--check"], 1);
    assert_eq!((&check[0]["ok"], &check[0]["last_sealed"]), (&false.into(), &"2026-03-20".into()));
    let alerts = printed.document("view-alerts", &["alerts"]);
    assert_eq!((&alerts["alerts"], &alerts["receivers"]), (&json!([]), &json!([])));
    let files = printed.document("view-files", &["files", "--all"]);
    let has = |outcome: &str| {
        let files = files["files"].as_array().unwrap().iter();
        let file = files.clone().find(|file| file["rows"][outcome].as_i64() > Some(0));
        file.unwrap_or_else(|| panic!("no file with {outcome}"))["file_no"].to_string()
    };
    let shown = printed.document("view-files-show", &["files", "show", &has("declined"), "--all"]);
    assert_eq!(shown["rows"][0]["outcome"], "declined");
    printed.document("view-files-show", &["files", "show", &has("pending")]);
    let retries = printed.documents_of_status("view-files-retry", &["files", "retry", "--all", "--dry-run"], 1);
    assert_eq!((&retries[0]["dry_run"], retries[0]["files"].as_array().map(Vec::len)), (&true.into(), Some(2)));

    let exceptions = printed.document("view-exceptions", &["exceptions", "--all"]);
    let exceptions = exceptions["exceptions"].as_array().unwrap();
    let amount = exceptions.iter().find_map(|exception| exception["amount"]["minor"].as_i64());
    assert!(amount.is_some(), "no exception has an amount");
    let conflict = exceptions.iter().find(|exception| exception["code"] == "CONFLICT").expect("a conflict");
    let conflict = conflict["exception_id"].as_str().unwrap();
    printed.document("view-exceptions-close", &["exceptions", "close", conflict, "--reason", "asked the shop"]);

    for (order, known, declined) in
        [("T-STAR", true, false), ("T-FROZEN", true, true), ("T-NOWHERE", false, false), ("G-CAP", true, false)]
    {
        let story = printed.document("view-explain", &["explain", order]);
        assert_eq!((story["order"].is_object(), story["order"]["declined"].is_string()), (known, declined), "{story}");
    }
    let nowhere = printed.document("view-explain", &["explain", "T-NOWHERE"]);
    assert!(nowhere["in_suspense"][0]["minor"].is_i64(), "{nowhere}");
    let entries = printed.documents("view-journal", &["journal"]);
    assert!(entries.len() > 500, "{}", entries.len());
    let csv = scheme.run(&["journal", "--format", "csv"]);
    assert_eq!(csv.lines().count(), entries.len() + 1);
    assert_eq!(scheme.run(&["journal", "--format", "json"]).lines().count(), entries.len());
    printed.document("view-verify", &["verify"]);

    let star = printed.document("view-explain", &["explain", "T-STAR"]);
    let customer = star["order"]["customer_id"].as_str().unwrap();
    let what_if = ["--on", "2026-04-30", "--pay-off-on", "2026-04-30", "--extend", "3"];
    let glance = printed.document("view-customer", &[&["customer", customer], &what_if[..]].concat());
    let amount = |field: &str| glance[field]["owed"][0]["amount"]["minor"].as_i64();
    assert!(amount("owed_on").is_some() && amount("owed_on") == amount("pay_off"), "{glance}");

    let payment = entries.iter().find(|entry| entry["kind"] == "payment" && entry["merchant_id"] == "TEA").unwrap();
    let void = ["payment", payment["cause"].as_str().unwrap(), "--void", "--reason", "a test", "--by", "wang.li"];
    let correct = [&["correct"], &void[..], &["--merchant", "TEA"]].concat();
    let dry_run = printed.document("view-correct", &[&correct[..], &["--dry-run"]].concat());
    assert_eq!((&dry_run["outcome"], dry_run["preview"].is_object()), (&"accepted".into(), true), "{dry_run}");
    printed.document("view-correct", &correct);

    let runs = printed.document("view-runs", &["runs", "--last", "3"]);
    assert_eq!(runs["runs"].as_array().unwrap().len(), 3, "{runs}");
    let number = runs["runs"][0]["run_no"].to_string();
    let shown = printed.document("view-runs-show", &["runs", "show", &number]);
    assert_eq!(shown["attempts"][0]["run_no"].to_string(), number);
    let mails = printed.document("view-mails", &["mails", "--last", "3"]);
    assert_eq!(mails["mails"].as_array().unwrap().len(), 3, "{mails}");
    let number = mails["mails"][0]["mail_no"].to_string();
    let shown = printed.document("view-mails-show", &["mails", "show", &number]);
    assert!(shown["text"].is_string() && shown["about"][0]["order_id"].is_string(), "{shown}");
    // While mails cannot be written, they wait, and one can be taken back.
    let (folder, aside) = (scheme.path("sample-run/mail"), scheme.path("mail-aside"));
    std::fs::rename(&folder, &aside).unwrap();
    std::fs::write(&folder, "in the way").unwrap();
    scheme.run_failing(&["job", "send_reminders"], 1);
    let waiting = printed.document("view-mails", &["mails", "--status", "queued", "--last", "1"]);
    let number = waiting["mails"][0]["mail_no"].to_string();
    let cancelled = printed.document("view-mails-cancel", &["mails", "cancel", &number]);
    assert_eq!(cancelled["status"], "withdrawn", "{cancelled}");
    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(&aside, &folder).unwrap();
    let paused = printed.document("view-pause", &["pause", "send_reminders", "--why", "a test"]);
    assert_eq!((&paused["paused"], &paused["changed"]), (&true.into(), &true.into()));
    let resumed = printed.document("view-resume", &["resume", "send_reminders"]);
    assert_eq!((&resumed["paused"], &resumed["changed"]), (&false.into(), &true.into()));
    let days = ["--from", "2025-01-01", "--to", "2025-01-01"];
    let backfill = printed.document("view-backfill", &[&["backfill", "close_day"], &days[..]].concat());
    assert_eq!(backfill["due"].as_array().unwrap().len(), 1, "{backfill}");

    let again = scheme.path("again");
    let again = ["reports", "--date", "2026-03-14", "--into", again.to_str().unwrap()];
    assert_eq!(printed.document("view-reports", &again)["files"].as_array().unwrap().len(), 20);
    let books = scheme.path("books");
    let month = ["--month", "2026-03", "--into", books.to_str().unwrap()];
    let workbooks = printed.document("view-workbook", &[&["workbook"], &month[..]].concat());
    assert_eq!(workbooks["workbooks"].as_array().unwrap().len(), 3, "{workbooks}");
    let statements = printed.document("view-statement", &[&["statement"], &month[..]].concat());
    assert_eq!(statements["statements"].as_array().unwrap().len(), 4, "{statements}");

    let out = scheme.path("made");
    printed.document("view-generate", &["generate", "--out", out.to_str().unwrap(), "--orders", "20"]);
    let begun = scheme.path("begun");
    printed.document("view-init", &["init", begun.to_str().unwrap(), "--starts-on", "2026-03-01"]);
    let row = "customer_id,name,email,locale,time_zone,credit_score,real_name_verified,bank_card_bound\n\
               C1,王芳,c1@example.com,zh-CN,Asia/Shanghai,700,true,true\nC2,李,c2@example.com,zh-CN,Nowhere,1,true,true\n";
    scheme.write("customers.csv", row);
    let (file, feed) = (scheme.path("customers.csv"), feed_of_customers(&scheme));
    let check = ["check", "--file", file.to_str().unwrap(), "--feed", &feed];
    printed.documents_of_status("view-check-file", &check, 1);

    let broken = scheme.read("sample-data/policies/base.toml").replace("flag_after = 5", "flag_after = -5");
    scheme.write("sample-data/policies/base.toml", broken);
    let wrong = printed.documents_of_status("view-check", &["check"], 2);
    assert_eq!((&wrong[0]["ok"], &wrong[0]["problems"][0]["key"]), (&false.into(), &"credit.flag_after".into()));

    let views: BTreeSet<&str> = VIEWS.iter().map(|view| view.name).collect();
    assert_eq!(printed.seen, views);
    // Every command that prints to standard output has a view. The daemon and the console have none and refuse `--json`.
    let commands: BTreeSet<&str> = VIEWS.iter().filter_map(|view| view.command.split(' ').next()).collect();
    for command in commands_of_help(&scheme.run(&["--help"])) {
        assert!(
            commands.contains(command.as_str())
                || ["run", "console", "completions", "help"].contains(&command.as_str()),
            "{command}"
        );
    }
    scheme.run_failing(&["--json", "run"], 2);
    scheme.run_failing(&["--json", "console"], 2);
    scheme.run_failing(&["--json", "journal", "--format", "csv"], 2);
}

fn feed_of_customers(scheme: &Scheme) -> String {
    let config: toml::Value = toml::from_str(&scheme.read("sample-data/paylater.toml")).unwrap();
    let feeds = config["feed"].as_array().unwrap();
    let feed = feeds.iter().find(|feed| feed["kind"].as_str() == Some("customers")).unwrap();
    feed["name"].as_str().unwrap().to_owned()
}

/// Returns the commands that `--help` lists.
fn commands_of_help(help: &str) -> Vec<String> {
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let commands = list.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let commands: Vec<String> = commands.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
    assert!(commands.len() > 10, "{help}");
    commands
}

#[test]
fn the_schemas_of_views_in_the_documentation_are_current() {
    let page = read("docs/json.md");
    for view in VIEWS {
        let path = format!("docs/schemas/{}.json", view.name);
        let written = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&path)).unwrap_or_default();
        let current = serde_json::to_string_pretty(&view.schema()).unwrap() + "\n";
        assert!(written == current, "paylater check --schema {} > {path}", view.name);
        let row = format!("| `{}` | [{}](schemas/{}.json)", view.command, view.name, view.name);
        assert!(page.contains(&row), "docs/json.md has no row {row}");
    }
}

#[test]
fn schemas_of_views_are_printed_without_a_scheme() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_paylater")).args(["check", "--schema", "view-status"]).output().unwrap();
    assert!(output.status.success());
    let schema: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(schema["title"], "paylater status --json");
    assert_eq!(schema["properties"]["business_date"]["type"], "string");
}
