//! The daemon with a log that tests read, and job files with the times that they need.

use std::fs;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Scheme;

/// A daemon whose log can be read when it has ended.
pub struct Daemon(Option<Child>);

impl Daemon {
    pub fn start(scheme: &Scheme) -> Daemon {
        Daemon::spawn(scheme, scheme.command(&["run"]))
    }

    /// Starts it with a command of its own.
    pub fn spawn(scheme: &Scheme, mut command: Command) -> Daemon {
        let log = fs::File::create(scheme.path("log")).unwrap();
        Daemon(Some(command.stdout(Stdio::null()).stderr(log).spawn().unwrap()))
    }

    pub fn signal(&self, name: &str) {
        let id = self.0.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    /// Waits for its end. Returns its exit status.
    pub fn wait(&mut self) -> Option<i32> {
        self.0.take().unwrap().wait().unwrap().code()
    }

    pub fn kill(mut self) {
        let mut child = self.0.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub fn has_ended(&mut self) -> bool {
        self.0.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some())
    }

    pub fn stop(&mut self) {
        self.signal("TERM");
        assert_eq!(self.wait(), Some(0));
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

pub fn wait_for(what: &str, scheme: &Scheme, mut is_there: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_there() {
        let mut log = String::new();
        if started.elapsed() > Duration::from_secs(120) {
            fs::File::open(scheme.path("log")).unwrap().read_to_string(&mut log).unwrap();
            panic!("{what} does not come: {log}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub fn logged(scheme: &Scheme, words: &str) {
    wait_for(words, scheme, || scheme.read("log").contains(words));
}

/// Gives the scheme job files of its own: each with its times and further keys.
pub fn jobs(scheme: &Scheme, files: &[(&str, &str, &str)]) {
    fs::create_dir_all(scheme.path("jobs")).unwrap();
    let never = "0 0 0 1 1 *";
    for name in ["ingest_files", "watch_feeds", "send_reminders", "close_day", "write_reconciliation"] {
        let given = files.iter().find(|(job, ..)| *job == name);
        let (cron, keys) = given.map_or((never, ""), |(_, cron, keys)| (*cron, *keys));
        let catch_up = if keys.contains("catch_up") { "" } else { "catch_up = \"last\"\n" };
        scheme
            .write(&format!("jobs/{name}.toml"), format!("about = \"{name}\"\ncron = \"{cron}\"\n{catch_up}{keys}\n"));
    }
    let config = scheme.read("paylater.toml");
    if !config.contains("[jobs]") {
        scheme.write("paylater.toml", format!("{config}[jobs]\nfolder = \"jobs\"\n"));
    }
}

pub const EVERY_SECOND: &str = "* * * * * *";
pub const NEXT_TO_NEVER: &str = "0 0 0 1 1 *";

pub fn sealed(scheme: &Scheme, day: &str) -> bool {
    scheme.path(&format!("run/reconciliation/{day}/manifest.json")).exists()
}

pub fn runs(scheme: &Scheme, filter: &[&str]) -> Vec<serde_json::Value> {
    let mut arguments = vec!["--json", "runs", "--last", "10000"];
    arguments.extend(filter);
    let list: serde_json::Value = serde_json::from_str(&scheme.run(&arguments)).unwrap();
    list["runs"].as_array().unwrap().clone()
}
