//! Whether it is known who has paid. As long as it is not, overdue mails and notices are held back.

use std::collections::BTreeSet;

use anyhow::Result;
use chrono::{DateTime, NaiveDate, Utc};

use crate::books::environment::Environment;
use crate::books::{held_back, inboxes};
use crate::domain::decide::reminders::Template;
use crate::scheme::Merchant;
use crate::store::{Tx, failed_intakes, is_of_store};

/// Returns the merchants whose customers may have made payments that the daemon does not know of: a file with payments
/// is missing (also a file of a day that is not open yet), is unread in the inbox, or the inbox cannot be read; or the
/// merchant's files could not be taken in.
pub async fn without_news<'s>(
    tx: &mut Tx,
    environment: &'s Environment,
    today: NaiveDate,
    day: NaiveDate,
    now: DateTime<Utc>,
) -> Result<BTreeSet<&'s str>> {
    let mut unsure: BTreeSet<&str> = inboxes::money_unseen(environment).into_iter().collect();
    let failed = failed_intakes::all(tx).await?;
    let failed = failed.iter().filter_map(|intake| environment.scheme.merchant(intake.owner.merchant()?));
    unsure.extend(failed.map(|merchant| merchant.id.as_str()));
    if day > today {
        unsure.extend(inboxes::money_to_come(environment, today)?);
    }
    for merchant in &environment.scheme.merchants {
        let missing = tx.part(async |tx| misses_files(tx, environment, merchant, today, day, now).await);
        match missing.await? {
            Ok(false) => {}
            Err(why) if is_of_store(&why) => return Err(why),
            missing => {
                if let Err(why) = missing {
                    tracing::error!(
                        merchant = merchant.id,
                        why = format!("{why:#}"),
                        "it cannot be decided which files are missing"
                    );
                }
                unsure.insert(&merchant.id);
            }
        }
    }
    Ok(unsure)
}

/// Whether a file with payments of a merchant is missing, of the open day or of a later one.
async fn misses_files(
    tx: &mut Tx,
    environment: &Environment,
    merchant: &Merchant,
    today: NaiveDate,
    day: NaiveDate,
    now: DateTime<Utc>,
) -> Result<bool> {
    let mut missing = held_back::missing_at(tx, environment, merchant, today, Some(now)).await?;
    for later in today.iter_days().skip(1).take_while(|later| *later <= day) {
        missing.append(&mut held_back::missing_later(tx, environment, merchant, later, Some(now)).await?);
    }
    Ok(!missing.is_empty())
}

/// Why a customer gets no mail who wants none.
pub const OPTED_OUT: &str = "opted out";

/// Returns why an overdue mail or a notice is held back while it is unknown who has paid. Other mails are sent.
pub fn held_back_by(unsure: &BTreeSet<&str>, merchant: &str, template: Template) -> Option<&'static str> {
    let assumes_unpaid =
        matches!(template, Template::Overdue | Template::Notice | Template::FeeCharged | Template::DebitFailed);
    (assumes_unpaid && unsure.contains(merchant)).then_some("news of payments is missing")
}
