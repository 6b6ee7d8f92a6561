//! `paylater init`: a new scheme to begin from, with a made-up first day of files that closes.

use std::fs;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail, ensure};
use chrono::NaiveDate;
use chrono_tz::Tz;
use minijinja::{Environment as Templates, context};

use super::language::Lang;
use super::{Ending, Misconfigured, json, new_folder, say};
use crate::clock;
use crate::config::{self, BUILT_IN_JOBS, Written};
use crate::domain::calendar::plus;
use crate::domain::money::Currency;
use crate::mail::language::Language;
use crate::views::new_scheme::NewScheme;

/// Begin a scheme of your own: commented configuration, terms, and a made-up first day of files that closes
///
/// On a terminal, it asks what no option says. Nothing in a folder that is in use is overwritten.
#[derive(clap::Args)]
pub struct Init {
    /// Folder to write to; it must be new or empty
    folder: PathBuf,

    /// The scheme's name, which customers read in mails
    #[arg(long)]
    name: Option<String>,

    /// The merchant's id in files and reports: letters, digits, - and _
    #[arg(long, value_name = "ID")]
    merchant: Option<String>,

    /// The currency of its orders, such as EUR
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,

    /// The time zone in which days begin and end, such as Europe/London
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,

    /// The language of the README and of the made-up customers. Without it, LC_ALL, LC_MESSAGES or LANG decides
    #[arg(long, value_enum)]
    lang: Option<Lang>,

    /// The first business day; without it, yesterday
    #[arg(long, value_name = "DATE")]
    starts_on: Option<NaiveDate>,
}

/// The answers to what is asked.
struct Answers {
    name: String,
    merchant: String,
    currency: Currency,
    zone: Tz,
    language: Language,
    first: NaiveDate,
}

impl Init {
    pub fn run(self, as_json: bool) -> Result<Ending> {
        let asks = !as_json && std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        let answers = self.answers(asks).map_err(Misconfigured)?;
        new_folder::make(&self.folder)?;
        let files = answers.files()?;
        for (name, text) in &files {
            let path = self.folder.join(name);
            let folder = path.parent().unwrap_or(&self.folder);
            fs::create_dir_all(folder).with_context(|| format!("making the folder {}", folder.display()))?;
            fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        }
        let config = self.folder.join("paylater.toml");
        config::load(&config).context("checking what was written")?;
        let made = NewScheme {
            config: config.display().to_string(),
            first: answers.first,
            files: files.into_iter().map(|(name, _)| name).collect(),
        };
        if as_json {
            json::print(&made)?;
            return Ok(Ending::Done);
        }
        say!("{} is ready. Next:", self.folder.display());
        say!("  cd {}", self.folder.display());
        say!("  paylater check");
        say!("  paylater close --through {}", made.first);
        say!("  paylater explain O1");
        say!("README.md in the folder lists the next steps.");
        Ok(Ending::Done)
    }

    fn answers(&self, asks: bool) -> Result<Answers> {
        let language = Lang::or_locale(self.lang);
        let (name, merchant, currency, zone) = match language {
            Language::Zh => ("我的先用后付", "SHOP", "CNY", "Asia/Shanghai"),
            Language::En => ("My scheme", "SHOP", "GBP", "Europe/London"),
        };
        let name = ask(asks, self.name.as_ref(), "The scheme's name", name)?;
        ensure!(!name.chars().any(char::is_control), "a name has no line breaks or control characters");
        let merchant = ask(asks, self.merchant.as_ref(), "The merchant's id", merchant)?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        ensure!(
            !merchant.is_empty() && merchant.len() <= 40 && merchant.chars().all(is_plain),
            "a merchant's id has 1 to 40 letters, digits, - and _"
        );
        let currency = ask(asks, self.currency.as_ref(), "The currency of its orders", currency)?;
        let currency = Currency::parse(&currency).with_context(|| format!("there is no currency {currency:?}"))?;
        let zone = ask(asks, self.time_zone.as_ref(), "The time zone", zone)?;
        let zone: Tz =
            zone.parse().map_err(|_| anyhow!("there is no time zone {zone:?}; write it as Europe/London"))?;
        let yesterday = plus(clock::now().with_timezone(&zone).date_naive(), -1);
        Ok(Answers { name, merchant, currency, zone, language, first: self.starts_on.unwrap_or(yesterday) })
    }
}

/// Returns what an option says, or else an answer from the terminal, or else the usual value.
fn ask(asks: bool, said: Option<&String>, question: &str, usual: &str) -> Result<String> {
    if let Some(said) = said {
        return Ok(said.trim().to_owned());
    }
    if !asks {
        return Ok(usual.to_owned());
    }
    let mut out = std::io::stdout();
    write!(out, "{question} [{usual}]: ").and_then(|()| out.flush()).context("asking")?;
    let mut answer = String::new();
    if std::io::stdin().read_line(&mut answer).context("reading the answer")? == 0 {
        bail!("the input ended before every question was answered; nothing was written");
    }
    let answer = answer.trim();
    Ok(if answer.is_empty() { usual } else { answer }.to_owned())
}

/// Jobs whose times are changed most often.
const JOBS: [&str; 3] = ["close_day", "ingest_files", "send_reminders"];

impl Answers {
    /// Returns the scheme's files, each with its path in the folder.
    fn files(&self) -> Result<Vec<(String, String)>> {
        let toml = |text: &str| toml::Value::from(text).to_string();
        let merchant_name = match self.language {
            Language::Zh => "我的小店",
            Language::En => "My shop",
        };
        let words = context! {
            name => toml(&self.name),
            zone => toml(self.zone.name()),
            first => self.first.to_string(),
            sender => toml(&format!("{} <no-reply@example.com>", self.name.replace(['<', '>', '"', ','], " "))),
            lang => self.language.code(),
            merchant => toml(&self.merchant),
            merchant_id => self.merchant.as_str(),
            merchant_name => toml(merchant_name),
            currency => self.currency.code(),
            limit_high => self.amount(500),
            limit_low => self.amount(200),
        };
        let readme = match self.language {
            Language::Zh => include_str!("init/README.zh.md"),
            Language::En => include_str!("init/README.en.md"),
        };
        let templates = Templates::new();
        // A template loses the line break at its end.
        let render = |text: &str, words: &minijinja::Value| templates.render_str(text, words).map(|text| text + "\n");
        let mut files = vec![
            ("paylater.toml".to_owned(), render(include_str!("init/paylater.toml"), &words)?),
            ("policy.toml".to_owned(), render(include_str!("init/policy.toml"), &words)?),
            (
                "README.md".to_owned(),
                render(readme, &context! { name => self.name.as_str(), first => self.first.to_string() })?,
            ),
        ];
        for (name, text) in BUILT_IN_JOBS.iter().filter(|(name, _)| JOBS.contains(name)) {
            // The built-in text names the schema where it lies in the source.
            let text =
                text.split_once('\n').filter(|(line, _)| line.starts_with("#:schema")).map_or(*text, |(_, rest)| rest);
            files.push((format!("jobs/{name}.toml"), format!("#:schema ../schemas/job.json\n{text}")));
        }
        for (name, written) in [("config", Written::Config), ("policy", Written::Policy), ("job", Written::Job)] {
            let schema = serde_json::to_string_pretty(&written.schema())?;
            files.push((format!("schemas/{name}.json"), schema + "\n"));
        }
        for (kind, rows) in self.first_day() {
            files.push((format!("inbox/{kind}-{}.csv", self.first), rows));
        }
        Ok(files)
    }

    /// An amount of whole units of the currency, such as `500.00`.
    fn amount(&self, units: i64) -> String {
        self.currency.plain(units * 10_i64.pow(self.currency.exponent()))
    }

    /// The files of a made-up first day: an order that is delivered, one that is paid, and one beyond its limit.
    fn first_day(&self) -> [(&'static str, String); 5] {
        let Answers { merchant, zone, first, .. } = self;
        let (locale, ann, ben, tea, lamp, bike) = match self.language {
            Language::Zh => ("zh-CN", "安样例", "本样例", "茶壶", "台灯", "自行车"),
            Language::En => ("en-GB", "Ann Example", "Ben Example", "Teapot", "Lamp", "Bicycle"),
        };
        let (before, currency) = (plus(*first, -1), self.currency.code());
        let amount = |units| self.amount(units);
        [
            (
                "customers",
                format!(
                    "customer_id,name,email,locale,time_zone,credit_score,real_name_verified,bank_card_bound\n\
                     C1,{ann},ann@example.com,{locale},{zone},700,true,true\n\
                     C2,{ben},ben@example.com,{locale},{zone},580,true,true\n"
                ),
            ),
            (
                "agreements",
                format!(
                    "agreement_id,customer_id,merchant_id,status,changed_at,score_authorised\n\
                     A1,C1,{merchant},open,{before} 09:00:00,true\nA2,C2,{merchant},open,{before} 09:30:00,true\n"
                ),
            ),
            (
                "orders",
                format!(
                    "order_id,customer_id,amount,currency,ordered_at,item\n\
                     O1,C1,{},{currency},{first} 10:00:00,{tea}\n\
                     O2,C2,{},{currency},{first} 11:00:00,{lamp}\n\
                     O3,C2,{},{currency},{first} 12:00:00,{bike}\n",
                    amount(80),
                    amount(45),
                    amount(300)
                ),
            ),
            ("fulfilments", format!("order_id,event,occurred_at\nO1,delivered,{first} 16:00:00\n")),
            (
                "payments",
                format!(
                    "payment_id,order_id,amount,currency,paid_at\nP1,O2,{},{currency},{first} 17:00:00\n",
                    amount(45)
                ),
            ),
        ]
    }
}
