//! Sums over all unpaid instalments, computed in the background. No page waits for them: it shows those that were computed
//! last, with the day they are of, or says that they are on their way.

use std::sync::{Arc, Mutex};

use chrono::NaiveDate;

use crate::books::environment::Environment;
use crate::views::unpaid::Unpaid;

#[derive(Default)]
pub struct KeptUnpaid(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    unpaid: Option<Arc<Unpaid>>,
    under_way: bool,
}

impl KeptUnpaid {
    /// Returns the sums that are known. If they are of another day than the open one, they are computed anew meanwhile.
    pub fn get(&self, environment: &Arc<Environment>, open_day: NaiveDate) -> Option<Arc<Unpaid>> {
        let mut kept = self.0.lock().ok()?;
        let is_current = kept.unpaid.as_ref().is_some_and(|unpaid| unpaid.business_date == open_day);
        if !is_current && !kept.under_way {
            kept.under_way = true;
            tokio::spawn(compute(self.0.clone(), environment.clone()));
        }
        kept.unpaid.clone()
    }
}

async fn compute(kept: Arc<Mutex<Kept>>, environment: Arc<Environment>) {
    let computed = async {
        let mut tx = environment.store.read().await?;
        Unpaid::load(&mut tx, &environment).await
    };
    let computed = computed.await;
    let Ok(mut kept) = kept.lock() else { return };
    kept.under_way = false;
    match computed {
        Ok(unpaid) => kept.unpaid = Some(Arc::new(unpaid)),
        Err(why) => tracing::warn!(why = format!("{why:#}"), "the console could not add up what is unpaid"),
    }
}
