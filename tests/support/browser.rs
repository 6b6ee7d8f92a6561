//! Chromium, driven through chromedriver by the WebDriver protocol: a page as a person's browser sees it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::http;

/// A browser with one tab. It ends when it is dropped.
pub struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
    _profile: TempDir,
}

impl Browser {
    pub fn start() -> Browser {
        let mut driver = Command::new("chromedriver")
            .args(["--port=0", "--log-level=SEVERE"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver; .ci/test installs Debian's chromium and chromium-driver");
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        // "ChromeDriver was started successfully on port 39421."
        let port = |line: String| -> Option<u16> { line.strip_suffix('.')?.rsplit_once("port ")?.1.parse().ok() };
        let port = lines.map_while(Result::ok).find_map(port).expect("the port of chromedriver");
        let profile = tempfile::tempdir().unwrap();
        let folder = format!("--user-data-dir={}", profile.path().display());
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--hide-scrollbars",
            &folder,
        ];
        let mut browser = Browser {
            driver,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            session: String::new(),
            _profile: profile,
        };
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let session = browser.ask("POST", "/session", &wanted);
        browser.session = session["sessionId"].as_str().unwrap_or_else(|| panic!("{session}")).to_owned();
        browser
    }

    fn ask(&self, method: &str, path: &str, body: &Json) -> Json {
        let body = if method == "POST" { body.to_string() } else { String::new() };
        let answer = http::request(self.address, method, path, &[("Content-Type", "application/json")], &body);
        let mut json: Json = serde_json::from_str(&answer.body).unwrap_or_else(|why| panic!("{why}: {}", answer.body));
        assert_eq!(answer.status, 200, "{path}: {json}");
        json["value"].take()
    }

    fn tell(&self, what: &str, body: &Json) -> Json {
        self.ask("POST", &format!("/session/{}/{what}", self.session), body)
    }

    pub fn open(&self, url: &str) {
        self.tell("url", &json!({ "url": url }));
    }

    /// Sets the width and height of the page, as on a phone if it is narrow.
    pub fn resize(&self, width: u32, height: u32) {
        let of = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.command("Emulation.setDeviceMetricsOverride", &of);
    }

    /// Lets pages believe that the person likes dark or light colours.
    pub fn prefer(&self, scheme: &str) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.command("Emulation.setEmulatedMedia", &features);
    }

    fn command(&self, name: &str, of: &Json) {
        self.tell("goog/cdp/execute", &json!({ "cmd": name, "params": of }));
    }

    /// Runs a script in the page and returns its value.
    pub fn run(&self, script: &str) -> Json {
        self.tell("execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Runs a script that calls its last argument with the value.
    pub fn run_async(&self, script: &str) -> Json {
        self.tell("execute/async", &json!({ "script": script, "args": [] }))
    }

    /// Presses a key, such as `"\u{e004}"` for Tab or `"\u{e007}"` for Enter.
    pub fn press(&self, keys: &str) {
        let strokes: Vec<Json> = keys
            .chars()
            .flat_map(|key| [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })])
            .collect();
        self.tell("actions", &json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": strokes }] }));
    }

    /// Returns what the page has written to the console since the last call.
    pub fn log(&self) -> Vec<String> {
        let log = self.tell("se/log", &json!({ "type": "browser" }));
        let lines = log.as_array().unwrap().iter();
        lines.map(|line| format!("{} {}", line["level"], line["message"])).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            http::request(self.address, "DELETE", &format!("/session/{}", self.session), &[], "");
        }
        self.driver.kill().ok();
        self.driver.wait().ok();
    }
}
