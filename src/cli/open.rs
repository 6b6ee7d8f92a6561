//! Opens the scheme for a command.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use indicatif::{ProgressBar, ProgressStyle};

use super::Misconfigured;
use crate::books::day_folders::refuse_lost_store;
use crate::books::environment::Environment;
use crate::config;
use crate::mail::compose::{Sender, Templates};
use crate::mail::transport::{Smtp, Transport};
use crate::scheme::{MailTransport, Scheme};
use crate::store::{Store, runs};

/// The options that every command gets.
pub struct At {
    pub config: Option<PathBuf>,
    pub json: bool,
}

/// A scheme opened for changes. While this value exists, no other paylater process can change the same books.
pub struct AtWork {
    pub environment: Environment,
    pub progress: Progress,
    _lock: File,
}

impl At {
    pub fn load_config(&self) -> Result<Scheme> {
        Ok(self.load_with_sources()?.scheme)
    }

    /// Loads the scheme and the source text of its policies and calendars.
    pub fn load_with_sources(&self) -> Result<config::Loaded> {
        config::load(self.config_file()?).map_err(|why| Misconfigured(why).into())
    }

    pub fn config_file(&self) -> Result<&Path> {
        let missing = || anyhow!("which scheme? Name its file with --config FILE or PAYLATER_CONFIG");
        self.config.as_deref().ok_or_else(|| Misconfigured(missing()).into())
    }

    /// Opens the scheme for changes.
    pub async fn work(&self) -> Result<AtWork> {
        let scheme = self.load_config()?;
        let lock = lock(&scheme)?;
        let is_empty = |file: PathBuf| file.metadata().map_or(0, |metadata| metadata.len()) == 0;
        if Store::file(&scheme.store_url, scheme.home.path())?.is_some_and(is_empty) {
            refuse_lost_store(&scheme)?;
        }
        let store = Store::open_to_work(&scheme.store_url, scheme.home.path()).await?;
        let mut tx = store.write().await?;
        runs::interrupt(&mut tx).await?;
        tx.commit().await?;
        let progress = Progress::new();
        let environment = environment(scheme, store, progress.clone())?;
        Ok(AtWork { environment, progress, _lock: lock })
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
            "there are no books yet in {place}: if this is a new scheme, its first `paylater close`, `run` or `job` makes \
             them; else scheme.home or store.url of {} names the wrong place",
            self.config_file()?.display()
        );
        Err(Misconfigured(why).into())
    }
}

fn environment(scheme: Scheme, store: Store, progress: Progress) -> Result<Environment> {
    let (transport, templates, sender) = mail(&scheme).map_err(Misconfigured)?;
    let progress = Box::new(move |message: &str| progress.tell(message));
    Ok(Environment {
        scheme,
        store,
        transport: Arc::new(transport),
        templates,
        sender,
        kept: Mutex::default(),
        mails_planned: Mutex::default(),
        proving: Mutex::default(),
        progress,
    })
}

/// Returns the transport, the templates and the sender of the scheme's mails.
pub fn mail(scheme: &Scheme) -> Result<(Transport, Templates, Sender)> {
    let mail = &scheme.mail;
    let transport = match &mail.transport {
        MailTransport::Folder => Transport::Folder(scheme.home.mail()),
        MailTransport::Smtp { url } => Transport::Smtp(Smtp::new(url).context("the URL of the mail server")?),
    };
    let templates = Templates::load(mail.templates.as_deref()).context("mail templates")?;
    let sender = Sender {
        name: mail.from_name.clone(),
        address: mail.from_address.clone(),
        reply_to: mail.reply_to.clone(),
        scheme_name: scheme.name.clone(),
        contact: None,
    };
    Ok((transport, templates, sender))
}

/// Locks the lock file in the scheme's home folder. The operating system releases the lock when the process ends, even
/// after a crash.
fn lock(scheme: &Scheme) -> Result<File> {
    let path = scheme.home.lock_file();
    std::fs::create_dir_all(scheme.home.path())
        .with_context(|| format!("making the folder {}", scheme.home.path().display()))?;
    let opening = || format!("opening {}", path.display());
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).with_context(opening)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("another paylater is working in {}; wait for it to end, or stop it", scheme.home.path().display())
        }
        Err(TryLockError::Error(why)) => Err(why).with_context(|| format!("locking {}", path.display())),
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
