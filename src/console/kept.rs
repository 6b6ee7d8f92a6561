//! Sums over all unpaid instalments, and over the entries of a month, computed in the background. No page waits for them: it
//! shows those that were computed last, with the day they are of, or says that they are on their way.

use std::sync::{Arc, Mutex};

use anyhow::Result;
use chrono::NaiveDate;

use crate::books::environment::Environment;
use crate::views::roll_forward::{RollForward, Rolls};
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

/// How the accounts moved in a month, by kind of entry.
#[derive(Default)]
pub struct KeptRolls(Arc<Mutex<KeptMonth>>);

#[derive(Default)]
struct KeptMonth {
    /// The sealed days that the sums are of.
    of: Option<Days>,
    rolls: Option<Arc<Vec<RollForward>>>,
    under_way: bool,
}

type Days = (NaiveDate, NaiveDate);

impl KeptRolls {
    /// Returns the sums of these sealed days, if they are known. If they are not, they are computed meanwhile, unless those of
    /// other days are.
    pub fn get(&self, environment: &Arc<Environment>, days: Days) -> Option<Arc<Vec<RollForward>>> {
        let mut kept = self.0.lock().ok()?;
        if kept.of == Some(days) {
            return kept.rolls.clone();
        }
        if !kept.under_way {
            kept.under_way = true;
            tokio::spawn(compute_rolls(self.0.clone(), environment.clone(), days));
        }
        None
    }
}

async fn compute_rolls(kept: Arc<Mutex<KeptMonth>>, environment: Arc<Environment>, days: Days) {
    let computed = rolls(&environment, days).await;
    let Ok(mut kept) = kept.lock() else { return };
    kept.under_way = false;
    match computed {
        Ok(rolls) => (kept.of, kept.rolls) = (Some(days), Some(Arc::new(rolls))),
        Err(why) => tracing::warn!("the console could not add up what moved in a month: {why:#}"),
    }
}

/// Returns the accounts of all merchants together, then those of each.
async fn rolls(environment: &Environment, days: Days) -> Result<Vec<RollForward>> {
    let mut tx = environment.store.read().await?;
    let (mut all, mut each) = (Rolls::default(), Vec::new());
    for merchant in &environment.scheme.merchants {
        let rolls = Rolls::of_merchant(&mut tx, &merchant.id, days).await?;
        all.add(&rolls);
        each.extend(rolls.each(Some(&merchant.id)));
    }
    Ok(all.each(None).into_iter().chain(each).collect())
}
