//! What the console holds between requests: the scheme opened to read, the pages, sessions, and sums that are kept.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::sync::Mutex;

use super::kept::{KeptRolls, KeptUnpaid};
use super::sessions::Sessions;
use super::templates::Pages;
use crate::books::environment::Environment;
use crate::clock;
use crate::scheme::Console;

/// Opens the scheme to read it; `None` if there are no books yet.
pub type Loader = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<Option<Environment>>> + Send>> + Send + Sync>;

pub struct State {
    pub settings: Console,
    pub pages: Pages,
    pub sessions: Sessions,
    pub unpaid: KeptUnpaid,
    pub rolls: KeptRolls,
    load: Loader,
    opened: Mutex<Option<(Arc<Environment>, Instant)>>,
}

/// After this time the configuration is read again, so that new terms and merchants are known.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(600);

impl State {
    pub fn new(settings: Console, load: Loader) -> Result<State> {
        let sessions = Sessions::new(settings.session);
        let (pages, unpaid, rolls) = (Pages::load()?, KeptUnpaid::default(), KeptRolls::default());
        Ok(State { settings, pages, sessions, unpaid, rolls, load, opened: Mutex::default() })
    }

    /// Reads the configuration again at once. If it is not right, the old one stays.
    pub async fn read_again(&self) {
        let mut opened = self.opened.lock().await;
        match (self.load)().await {
            Ok(environment) => {
                *opened = environment.map(|environment| (Arc::new(environment), clock::monotonic()));
                tracing::info!(
                    "the console read the configuration again; a change of [console] is in force after a restart"
                );
            }
            Err(why) => tracing::error!(
                "the console read the configuration again and it has errors; the old one stays in force: {why:#}"
            ),
        }
    }

    /// Returns the scheme, or `None` if there are no books yet.
    pub async fn environment(&self) -> Result<Option<Arc<Environment>>> {
        let mut opened = self.opened.lock().await;
        let now = clock::monotonic();
        if let Some((environment, since)) = opened.as_ref()
            && now - *since < READ_AGAIN_AFTER
        {
            return Ok(Some(environment.clone()));
        }
        let before = opened.as_ref().map(|(environment, _)| environment.clone());
        let environment = match ((self.load)().await, before) {
            (Ok(Some(environment)), _) => Arc::new(environment),
            (Ok(None), _) => return Ok(None),
            (Err(why), Some(before)) => {
                tracing::warn!(
                    why = format!("{why:#}"),
                    "the new configuration has errors; the console keeps the old one"
                );
                before
            }
            (Err(why), None) => return Err(why),
        };
        *opened = Some((environment.clone(), now));
        Ok(Some(environment))
    }
}
