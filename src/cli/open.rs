//! Opens the scheme for a command.

use std::io::IsTerminal;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use indicatif::{ProgressBar, ProgressStyle};

use super::{Misconfigured, remark};
use crate::books::day_folders::refuse_lost_store;
use crate::books::environment::{Environment, made};
use crate::clock;
use crate::config;
use crate::mail::dkim::Dkim;
use crate::mail::letter::{MerchantSender, Sender};
use crate::mail::reference::ReferenceKey;
use crate::mail::templates::Templates;
use crate::mail::transport::{Smtp, Transport};
use crate::runner::interrupt_left;
use crate::scheme::{DkimSettings, MailTransport, Merchant, Scheme};
use crate::store::lanes::{self, Taker};
use crate::store::{Lane, Store, Tx};

/// The options that every command gets.
pub struct At {
    pub config: Option<PathBuf>,
    pub json: bool,
    /// How long to wait while another paylater works in the same lane.
    pub wait: Duration,
}

impl AtWork {
    /// Gives the lanes back. The books can still be read.
    pub async fn give_back(self) -> Environment {
        let store = self.environment.store.without_lanes();
        let environment = self.environment.with_store(store);
        self.environment.store.give_back().await;
        environment
    }
}

/// The configuration file that commands find in the current folder.
const CONFIG_HERE: &str = "paylater.toml";

/// The least time for an attempt to take a lane.
const SHORTEST_ATTEMPT: Duration = Duration::from_secs(2);

/// A scheme opened for changes.
pub struct AtWork {
    pub environment: Environment,
    pub progress: Progress,
}

impl At {
    pub fn load_config(&self) -> Result<Scheme> {
        Ok(self.load_with_sources()?.scheme)
    }

    /// Loads the scheme and the source text of its policies and calendars.
    pub fn load_with_sources(&self) -> Result<config::Loaded> {
        config::load(self.config_file()?).map_err(|why| Misconfigured(why).into())
    }

    /// The configuration file that was named, or else the one in the current folder.
    pub fn config_file(&self) -> Result<&Path> {
        let here = Path::new(CONFIG_HERE);
        match &self.config {
            Some(file) => Ok(file),
            None if here.is_file() => Ok(here),
            None => Err(Misconfigured(anyhow!(
                "which scheme? Name its file with --config FILE or PAYLATER_CONFIG, or change to the folder of its {CONFIG_HERE}"
            ))
            .into()),
        }
    }

    /// Opens the scheme to change it for the daemon, which takes lanes for each run.
    pub async fn serve(&self) -> Result<AtWork> {
        let scheme = self.load_config()?;
        let is_empty = |file: PathBuf| file.metadata().map_or(0, |metadata| metadata.len()) == 0;
        if Store::file(&scheme.store_url, scheme.home.path())?.is_some_and(is_empty) {
            refuse_lost_store(&scheme)?;
        }
        made(scheme.home.path().to_owned())?;
        let store = Store::open_to_work(&scheme.store_url, scheme.home.path()).await?;
        let progress = Progress::new();
        let environment = environment(scheme, store, progress.clone())?;
        Ok(AtWork { environment, progress })
    }

    /// Opens the scheme for changes and takes the lanes for them, also beside the daemon: waits until what it does there has
    /// ended. `doing` says what for, such as `close`. The lanes are given back when the process ends.
    pub async fn work(&self, lanes: &[Lane], doing: &str) -> Result<AtWork> {
        let AtWork { environment, progress } = self.serve().await?;
        let taker = Taker { node: environment.node.clone(), doing: doing.to_owned(), since: clock::now() };
        let store = self.take(&environment, lanes, &taker).await?;
        let environment = Environment { asked_by: Some(who()), ..environment.with_store(store) };
        Ok(AtWork { environment, progress })
    }

    async fn take(&self, environment: &Environment, lanes: &[Lane], taker: &Taker) -> Result<Store> {
        let began = clock::monotonic();
        let mut is_told = false;
        loop {
            // A transaction of another process can hold up even the attempt.
            let begin = async |tx: &mut Tx| interrupt_left(tx, lanes, clock::now()).await;
            let attempt = environment.store.take(lanes, taker, begin);
            if let Ok(taken) = tokio::time::timeout(self.wait.max(SHORTEST_ATTEMPT), attempt).await
                && let Some((store, ())) = taken?
            {
                return Ok(store);
            }
            let waited = clock::monotonic() - began;
            if waited >= self.wait || !is_told {
                let by = who_works(environment, lanes).await?;
                if waited >= self.wait {
                    bail!(
                        "another paylater is working on these books: {by}; try again later, or wait longer with --wait \
                         SECONDS"
                    );
                }
                // Most work takes less than a second.
                if waited > Duration::from_secs(1) {
                    remark!("waiting for another paylater: {by}");
                    is_told = true;
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Opens the scheme for reading, or returns `None` if it has no books yet. Creates nothing, changes nothing and
    /// does not wait for a lock.
    pub async fn look_at_books(&self) -> Result<Option<Environment>> {
        let scheme = self.load_config()?;
        let store = Store::open_to_read(&scheme.store_url, scheme.home.path()).await?;
        store.map(|store| environment(scheme, store, Progress::new())).transpose()
    }

    /// Opens the scheme for reading. Fails if it has no books yet. Creates nothing, changes nothing and does not wait
    /// for a lock.
    pub async fn look(&self) -> Result<Environment> {
        if let Some(environment) = self.look_at_books().await? {
            return Ok(environment);
        }
        let scheme = self.load_config()?;
        let place = Store::place(&scheme.store_url, scheme.home.path())?;
        let why = anyhow!(
            "there are no books yet in {place}: if this is a new scheme, the first command that works, such as \
             `paylater close`, makes them; else scheme.home or store.url of {} names the wrong place",
            self.config_file()?.display()
        );
        Err(Misconfigured(why).into())
    }
}

fn environment(scheme: Scheme, store: Store, progress: Progress) -> Result<Environment> {
    let (transport, templates, sender) = mail(&scheme).map_err(Misconfigured)?;
    let progress = Arc::new(move |message: &str| progress.tell(message));
    Ok(Environment {
        scheme: Arc::new(scheme),
        store,
        transport: Arc::new(transport),
        templates: Arc::new(templates),
        sender: Arc::new(sender),
        kept: Arc::default(),
        mails_planned: Arc::default(),
        proving: Arc::default(),
        progress,
        node: node(),
        asked_by: None,
        stopping: Arc::default(),
    })
}

/// Reads the configuration again for the daemon that works in `old`. The books must be the same.
pub fn reloaded(at: &At, old: &Environment) -> Result<Environment> {
    let scheme = at.load_config()?;
    let stays = [
        ("scheme.home", scheme.home.path() == old.scheme.home.path()),
        ("store.url", scheme.store_url == old.scheme.store_url),
        ("scheme.time_zone", scheme.zone == old.scheme.zone),
        ("scheme.clock", scheme.clock == old.scheme.clock),
    ];
    if let Some((key, _)) = stays.into_iter().find(|(_, is_same)| !is_same) {
        bail!("{key} has changed; to change it, stop the daemon and start it again");
    }
    let (transport, templates, sender) = mail(&scheme)?;
    Ok(Environment {
        scheme: Arc::new(scheme),
        transport: Arc::new(transport),
        templates: Arc::new(templates),
        sender: Arc::new(sender),
        kept: Arc::default(),
        mails_planned: Arc::default(),
        ..old.clone()
    })
}

/// This machine and process, such as `books-1:4711`.
fn node() -> String {
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let machine = machine.trim();
    format!("{}:{}", if machine.is_empty() { "localhost" } else { machine }, std::process::id())
}

/// The person at the command line, for the record.
pub fn who() -> String {
    let named = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    let user_id =
        || std::fs::metadata("/proc/self").map(|process| format!("uid {}", process.uid())).unwrap_or_default();
    named.filter(|name| !name.is_empty()).unwrap_or_else(user_id)
}

async fn who_works(environment: &Environment, lanes: &[Lane]) -> Result<String> {
    let mut tx = environment.store.read().await?;
    let mut busy = Vec::new();
    for lane in lanes {
        if !environment.store.is_taken(*lane).await? {
            continue;
        }
        if let Some(Taker { node, doing, since }) = lanes::taker(&mut tx, *lane).await? {
            let since = since.with_timezone(&environment.scheme.zone).format("%Y-%m-%d %H:%M:%S");
            busy.push(format!("{node} has been running {doing} since {since}"));
        }
    }
    busy.dedup();
    Ok(if busy.is_empty() { "it has just begun".to_owned() } else { busy.join(", ") })
}

/// Returns the transport, the templates and the sender of the scheme's mails.
pub fn mail(scheme: &Scheme) -> Result<(Transport, Templates, Sender)> {
    let mail = &scheme.mail;
    let transport = match &mail.transport {
        MailTransport::Folder => Transport::Folder(scheme.home.mail()),
        MailTransport::Smtp(settings) => {
            let server = Smtp::new(&settings.url).context("the URL of the mail server")?;
            let server = server.with_connections(settings.connections).with_timeout(settings.timeout);
            Transport::Smtp(match &mail.dkim {
                Some(DkimSettings { domain, selector, key }) => {
                    server.with_dkim(Dkim::new(domain, selector, key.reveal()).context("mail.dkim.key_file")?)
                }
                None => server,
            })
        }
    };
    let versions = scheme.merchants.iter().flat_map(|merchant| &merchant.policy.versions);
    let named = versions.flat_map(|terms| terms.reminders.letters.values().cloned()).collect();
    let templates =
        Templates::load(mail.templates.as_deref(), &mail.default_language, &named).context("mail templates")?;
    Ok((transport, templates, sender(scheme)))
}

fn sender(scheme: &Scheme) -> Sender {
    let mail = &scheme.mail;
    let merchant = |merchant: &Arc<Merchant>| {
        let Merchant { name, name_zh, letterheads, .. } = &**merchant;
        let sender = MerchantSender { name: name.clone(), name_zh: name_zh.clone(), letterheads: letterheads.clone() };
        (merchant.id.clone(), sender)
    };
    Sender {
        name: mail.from_name.clone(),
        address: mail.from_address.clone(),
        reply_to: mail.reply_to.clone(),
        scheme_name: scheme.name.clone(),
        letterheads: mail.letterheads.clone(),
        merchants: scheme.merchants.iter().map(merchant).collect(),
        hosts: mail.hosts(scheme.merchants.iter().map(|merchant| &merchant.letterheads)),
        reference_key: mail.reference_key.as_ref().map(|key| ReferenceKey::new(key.reveal())),
        pay_qr: mail.pay_qr,
        unsubscribe_mailto: mail.unsubscribe_mailto.clone(),
        unsubscribe_one_click: mail.unsubscribe_one_click,
        accent: mail.look.accent,
        logo: mail.look.logo.clone(),
    }
}

/// The progress of long work: on a terminal, one line that changes; otherwise, a log line from time to time.
#[derive(Clone)]
pub struct Progress {
    bar: ProgressBar,
    logged: Arc<Mutex<Option<std::time::Instant>>>,
}

/// The shortest time between two log lines about progress.
const LOG_EVERY: Duration = Duration::from_secs(10);

impl Progress {
    fn new() -> Progress {
        let bar = if std::io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}") {
            bar.set_style(style);
        }
        Progress { bar, logged: Arc::default() }
    }

    fn tell(&self, message: &str) {
        self.bar.set_message(message.to_owned());
        self.bar.tick();
        if !self.bar.is_hidden() {
            return;
        }
        let Ok(mut logged) = self.logged.lock() else { return };
        let now = std::time::Instant::now();
        if logged.is_none_or(|last| now - last >= LOG_EVERY) {
            // The first message is not logged: it only says that the work began.
            if logged.is_some() {
                tracing::info!("{message}");
            }
            *logged = Some(now);
        }
    }

    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
