//! The console: pages for people who would rather look, and endpoints for monitoring, over HTTP.
//!
//! It shows views and changes nothing: every request but the login is a GET, the store is opened to read, and there is
//! no SQL and no rule here. Pages are rendered on the server and work without scripts; nothing is fetched from elsewhere.
//! Every page is read by index or in bounded lists. What can't be (sums over unpaid instalments and over a month's entries) is
//! computed in the background and kept (`kept`).

mod access;
mod charts;
mod cookies;
mod endpoints;
mod exceptions;
mod failure;
mod files;
mod kept;
mod language;
mod money;
mod orders;
mod page;
mod sessions;
mod state;
mod templates;
mod today;
mod visitor;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use self::state::State;

pub use self::state::Loader;
use crate::scheme::Console;
use crate::store::scheme;

/// How long requests under way may go on once the console is to stop.
const STOP_WITHIN: Duration = Duration::from_secs(3);

/// Serves the console until `shutdown` is ready. `load` opens the scheme to read it; it is called again until there are
/// books, from time to time, and when somebody asks for it with `read_again`.
pub async fn serve(
    settings: Console,
    load: Loader,
    listener: TcpListener,
    read_again: Arc<Notify>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    settings.refuse_strangers()?;
    let state = Arc::new(State::new(settings, load)?);
    tokio::spawn(warm_up(state.clone()));
    let again = state.clone();
    let reading = tokio::spawn(async move {
        loop {
            read_again.notified().await;
            again.read_again().await;
        }
    });
    let (stopping, mut stopped) = tokio::sync::watch::channel(false);
    let stop = async move {
        shutdown.await;
        stopping.send_replace(true);
    };
    let served = axum::serve(listener, router(state)).with_graceful_shutdown(stop);
    let cut_off = async {
        // An error means that the server has ended by itself.
        let _ = stopped.wait_for(|stopping| *stopping).await;
        tokio::time::sleep(STOP_WITHIN).await;
    };
    let served = tokio::select! {
        served = served.into_future() => served.context("serving the console"),
        () = cut_off => Ok(()),
    };
    reading.abort();
    served
}

/// Opens the scheme and begins to add up what is unpaid, so that the first person who looks waits for neither.
async fn warm_up(state: Arc<State>) {
    let opened = async {
        let Some(environment) = state.environment().await? else { return Ok(()) };
        let mut tx = environment.store.read().await?;
        if let Some(days) = scheme::days(&mut tx).await? {
            state.unpaid.get(&environment, days.business_date);
        }
        anyhow::Ok(())
    };
    if let Err(why) = opened.await {
        tracing::warn!(why = format!("{why:#}"), "the console can't open the scheme yet");
    }
}

/// Opens the address that the console is to listen on.
pub async fn listen(settings: &Console) -> Result<TcpListener> {
    settings.refuse_strangers()?;
    let address = settings.listen;
    TcpListener::bind(address).await.with_context(|| format!("the console can't listen on {address}"))
}

fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/", get(today::page))
        .route("/money", get(money::page))
        .route("/money/unpaid", get(money::unpaid))
        .route("/money/account", get(money::account))
        .route("/money/entries", get(money::entries))
        .route("/orders", get(orders::page))
        .route("/order", get(orders::order))
        .route("/customer", get(orders::customer))
        .route("/files", get(files::page))
        .route("/files/{file_no}", get(files::file))
        .route("/files/{file_no}/rejects.csv", get(files::rejects))
        .route("/reports/{day}", get(files::reports))
        .route("/reports/{day}/{name}", get(files::report))
        .route("/exceptions", get(exceptions::page))
        .route("/login", get(access::login_page).post(access::login))
        .route("/logout", post(access::logout))
        .route("/language", get(language::choose))
        .route("/style.css", get(page::style))
        .route("/icon.svg", get(page::icon))
        .route("/healthz", get(endpoints::healthz))
        .route("/readyz", get(endpoints::readyz))
        .route("/metrics", get(endpoints::metrics))
        .fallback(page::nothing_there)
        .layer(from_fn_with_state(state.clone(), access::guard))
        .with_state(state)
}
