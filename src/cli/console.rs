//! `paylater console`: serves the console on its own, beside a daemon or without one.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use super::open::At;
use super::{Ending, Misconfigured, remark};
use crate::console::{self, Loader};
use crate::scheme::Scheme;

#[derive(clap::Args)]
pub struct Console {
    /// Address and port, instead of those of [console].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

impl Console {
    pub async fn run(self, at: &At) -> Result<Ending> {
        if at.json {
            let why = anyhow!(
                "the console prints nothing, so it has no --json; ask its /metrics, or `paylater --json status`"
            );
            return Err(Misconfigured(why).into());
        }
        let mut settings = at.load_config()?.console;
        settings.listen = self.listen.unwrap_or(settings.listen);
        settings.refuse_strangers().map_err(Misconfigured)?;
        let listener = console::listen(&settings).await?;
        remark!(
            "The console is at http://{}/ — stop it with Ctrl-C.",
            listener.local_addr().context("reading the address that the console listens on")?
        );
        let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
        let mut hang_up = signal(SignalKind::hangup()).context("listening for SIGHUP")?;
        let read_again = Arc::new(Notify::new());
        let asked = Arc::clone(&read_again);
        let stop = async move {
            loop {
                tokio::select! {
                    _ = terminate.recv() => return,
                    _ = interrupt.recv() => return,
                    _ = hang_up.recv() => asked.notify_one(),
                }
            }
        };
        console::serve(settings, loader(at.config_file()?.to_owned()), listener, read_again, stop).await?;
        Ok(Ending::Done)
    }
}

/// The console beside the daemon.
pub struct Beside {
    served: Option<(oneshot::Sender<()>, JoinHandle<Result<()>>)>,
    read_again: Arc<Notify>,
}

/// Begins to serve the console if there is a `[console]`. It reads the store through connections of its own, so that
/// people who look never hold up the daemon.
pub async fn beside(at: &At, scheme: &Scheme) -> Result<Beside> {
    let read_again = Arc::new(Notify::new());
    if !scheme.console_beside_daemon {
        return Ok(Beside { served: None, read_again });
    }
    let settings = scheme.console.clone();
    let listener = console::listen(&settings).await?;
    tracing::info!(address = %settings.listen, "the console listens");
    let (stop, stopped) = oneshot::channel();
    let stopped = async move {
        // An error means that the daemon has gone away, which also ends the console.
        let _ = stopped.await;
    };
    let load = loader(at.config_file()?.to_owned());
    let served = tokio::spawn(console::serve(settings, load, listener, Arc::clone(&read_again), stopped));
    Ok(Beside { served: Some((stop, served)), read_again })
}

impl Beside {
    /// Lets the console read the configuration again, as the daemon has.
    pub fn read_again(&self) {
        if self.served.is_some() {
            self.read_again.notify_one();
        }
    }

    pub async fn stop(self) {
        let Some((stop, served)) = self.served else { return };
        // An error means that the console has ended already; the log says why.
        let _ = stop.send(());
        match served.await {
            Ok(Ok(())) => {}
            Ok(Err(why)) => tracing::error!(why = format!("{why:#}"), "the console ended"),
            Err(why) => tracing::error!(%why, "the console ended"),
        }
    }
}

fn loader(config: PathBuf) -> Loader {
    Box::new(move || {
        let at = At { config: Some(config.clone()), json: false, wait: Duration::ZERO };
        Box::pin(async move { at.look_at_books().await })
    })
}
