//! Shared by the story tests: runs the real program on a copy of the sample or on a small shop, on either engine.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

pub mod browser;
pub mod daemon;
pub mod day_by_day;
pub mod http;
pub mod imports;
pub mod postgres;
pub mod random_orders;
#[cfg(feature = "remote")]
pub mod receiver;
#[cfg(feature = "remote")]
pub mod s3;
#[cfg(feature = "remote")]
pub mod sftp;
#[allow(dead_code, reason = "unit tests of the mail client use the rest")]
pub mod smtp;
pub mod source;
pub mod timeline;
pub mod two_merchants;
pub mod wall_clock;

/// Simple terms, for tests that are about files.
pub const POLICY: &str = r#"
[[version]]
effective_from = "2026-01-01"
currency = "CNY"
clock = "ordered"
bands = [ { score = 500, limit = "1000.00", term = 7 } ]
late_fee = { kind = "none" }
"#;

/// A good customer of the shop.
pub const CUSTOMERS: &str = "customer_id,name,email,locale,time_zone,credit_score,real_name_verified,bank_card_bound
C1,王芳,c1@example.com,zh-CN,Asia/Shanghai,700,true,true
";
pub const AGREEMENTS: &str = "agreement_id,customer_id,merchant_id,status,changed_at,score_authorised
A1,C1,SHOP,open,2026-02-01,true
";

/// A scheme in a temporary folder, on which the real program runs.
pub struct Scheme {
    pub folder: TempDir,
    pub config: PathBuf,
    /// Environment variables for the program.
    pub env: Vec<(String, String)>,
}

impl Scheme {
    /// A copy of the sample month.
    pub fn sample() -> Scheme {
        let folder = tempfile::tempdir().unwrap();
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-data"), &folder.path().join("sample-data"));
        let config = folder.path().join("sample-data/paylater.toml");
        Scheme { folder, config, env: Vec::new() }
    }

    /// A scheme with one merchant, SHOP, with these terms and its files in `inbox/`. A file without a good row is no
    /// failure.
    pub fn shop(policy: &str) -> Scheme {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("paylater.toml");
        let mut text = "[scheme]\nname = \"Test\"\ntime_zone = \"Asia/Shanghai\"\nstarts_on = \"2026-03-01\"\n\
             clock = \"business\"\nhome = \"run\"\n[store]\nurl = \"sqlite:paylater.db\"\n\
             [mail]\ntransport = \"folder\"\nfrom = \"Test <no-reply@example.com>\"\n\
             [[merchant]]\nid = \"SHOP\"\nname = \"Shop\"\npolicy = \"policy.toml\"\n"
            .to_owned();
        for kind in [
            "customers",
            "agreements",
            "orders",
            "fulfilments",
            "holds",
            "extensions",
            "payments",
            "debit_results",
            "refunds",
            "bills",
            "chargebacks",
            "waivers",
            "payout_results",
        ] {
            let merchant = if matches!(kind, "customers" | "agreements") { "" } else { "merchant = \"SHOP\"\n" };
            text.push_str(&format!(
                "[[feed]]\nname = \"{kind}\"\nfolder = \"inbox\"\npattern = \"{kind}-{{date}}*.csv\"\nkind = \"{kind}\"\n\
                 settle_seconds = 0\nreject_limit = {{ rows = 1000000 }}\n{merchant}"
            ));
        }
        fs::write(&config, text).unwrap();
        fs::write(folder.path().join("policy.toml"), policy).unwrap();
        fs::create_dir(folder.path().join("inbox")).unwrap();
        Scheme { folder, config, env: Vec::new() }
    }

    /// Moves the books to a new PostgreSQL database.
    pub async fn on_postgres(mut self) -> Scheme {
        self.env.push(("PAYLATER_STORE_URL".to_owned(), postgres::database().await));
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|why| panic!("{name}: {why}"))
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_paylater"));
        command.env_remove("PAYLATER_STORE_URL").env_remove("PAYLATER_SMTP_URL").env_remove("PAYLATER_CONFIG");
        command.arg("--config").arg(&self.config).args(arguments);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the program and expects exit status 0. Returns its standard output.
    pub fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs the program and expects this exit status. Returns its standard output and standard error.
    pub fn run_failing(&self, arguments: &[&str], status: i32) -> String {
        let output = self.command(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", text(&output));
        text(&output)
    }

    pub fn close(&self, through: &str) -> String {
        self.run(&["close", "--through", through])
    }

    /// Adds a merchant with these keys, and its feeds, each with its kind, folder and pattern.
    pub fn with_merchant(self, id: &str, keys: &str, feeds: &[(&str, &str, &str)]) -> Scheme {
        let mut config = self.read("paylater.toml");
        config.push_str(&format!("[[merchant]]\nid = \"{id}\"\n{keys}"));
        for (kind, folder, pattern) in feeds {
            config.push_str(&format!(
                "[[feed]]\nname = \"{}-{kind}\"\nfolder = \"{folder}\"\npattern = \"{pattern}\"\nkind = \"{kind}\"\n\
                 settle_seconds = 0\nmerchant = \"{id}\"\n",
                id.to_lowercase()
            ));
        }
        self.write("paylater.toml", config);
        self
    }

    /// Puts files into the inbox, together with the shop's customer and agreement of 1 March.
    pub fn with_customer(self, files: &[(&str, &str)]) -> Scheme {
        let customer = [("customers-2026-03-01.csv", CUSTOMERS), ("agreements-2026-03-01.csv", AGREEMENTS)];
        for (name, text) in customer.iter().chain(files) {
            self.write(&format!("inbox/{name}"), text);
        }
        self
    }

    /// The acknowledgement of a file.
    pub fn ack(&self, feed: &str, name: &str) -> String {
        self.read(&format!("run/outbox/{feed}/{name}.ack.csv"))
    }

    /// The shop's exceptions of a day: code, days open, message.
    pub fn exceptions(&self, day: &str) -> Vec<String> {
        let report = self.read(&format!("run/reconciliation/{day}/SHOP_{day}_exceptions.csv"));
        let mut rows = csv::Reader::from_reader(report.as_bytes());
        let row = |row: csv::StringRecord| format!("{} {} {}", &row[1], &row[9], &row[10]);
        rows.records().map(|record| row(record.unwrap())).collect()
    }
}

/// Returns a program of the Python environment for finance's tools that `.ci/test` creates.
pub fn finance_tool(name: &str) -> PathBuf {
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/finance/bin").join(name);
    assert!(
        tool.exists(),
        "no {name}: python3 -m venv target/finance && target/finance/bin/pip install beancount==3.2.3 openpyxl==3.1.5 dkimpy==1.1.8"
    );
    tool
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Returns every file below some folders: its path and its bytes.
pub fn files_below(root: &Path, folders: &[&str]) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for folder in folders {
        collect(root, &root.join(folder), &mut files);
    }
    files
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            files.insert(name, fs::read(&path).unwrap());
        }
    }
}

/// The folders with a run's output for other people and programs.
pub const OUTPUTS: [&str; 4] = ["reconciliation", "outbox", "mail", "quarantine"];

/// Compares two sets of files. Panics at the first difference and names the file.
pub fn assert_same(expected: &BTreeMap<String, Vec<u8>>, found: &BTreeMap<String, Vec<u8>>) {
    let only = |one: &BTreeMap<String, Vec<u8>>, other: &BTreeMap<String, Vec<u8>>| -> Vec<String> {
        one.keys().filter(|name| !other.contains_key(*name)).take(20).cloned().collect()
    };
    let (missing, extra) = (only(expected, found), only(found, expected));
    assert!(missing.is_empty() && extra.is_empty(), "missing {missing:?}, too much {extra:?}");
    for (name, bytes) in expected {
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(found[name] == *bytes, "{name} differs:\n{}\n---\n{}", shown(bytes), shown(&found[name]));
    }
}
