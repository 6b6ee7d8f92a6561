//! What began and what is over since the last look.

use anyhow::Result;
use chrono::{DateTime, Utc};

use crate::store::alerts::OpenAlert;
use crate::store::{Tx, alerts};
use crate::views::status_check::Trouble;

/// The difference between what is wrong and the open alerts.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    began: Vec<Trouble>,
    over: Vec<OpenAlert>,
}

impl Changes {
    /// A trouble that may end soon begins no alert, and ends none.
    pub fn of(open: &[OpenAlert], troubles: Vec<Trouble>) -> Changes {
        let is_same =
            |alert: &OpenAlert, trouble: &Trouble| alert.code == trouble.code.name() && alert.about == trouble.about;
        let over = open.iter().filter(|alert| !troubles.iter().any(|trouble| is_same(alert, trouble)));
        let over = over.cloned().collect();
        let is_new = |trouble: &Trouble| !trouble.may_end_soon && !open.iter().any(|alert| is_same(alert, trouble));
        Changes { began: troubles.into_iter().filter(is_new).collect(), over }
    }

    pub fn is_none(&self) -> bool {
        self.began.is_empty() && self.over.is_empty()
    }

    /// Records the changes, with a note for each receiver. A receiver is not told about itself.
    pub async fn record(&self, tx: &mut Tx, receivers: &[String], now: DateTime<Utc>) -> Result<()> {
        for trouble in &self.began {
            let begun = alerts::begin(tx, trouble.code.name(), &trouble.about, &trouble.message, now).await?;
            let Some(alert_no) = begun else { continue };
            for receiver in receivers.iter().filter(|receiver| **receiver != trouble.about) {
                alerts::note(tx, alert_no, receiver, false).await?;
            }
        }
        for alert in &self.over {
            if !alerts::end(tx, alert.alert_no, now).await? {
                continue;
            }
            for receiver in receivers.iter().filter(|receiver| **receiver != alert.about) {
                alerts::note(tx, alert.alert_no, receiver, true).await?;
            }
        }
        Ok(())
    }

    pub fn log(&self) {
        for trouble in &self.began {
            tracing::warn!(code = trouble.code.name(), about = trouble.about, "alert: {}", trouble.message);
        }
        for alert in &self.over {
            tracing::info!(code = alert.code, about = alert.about, "the alert is over");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::status_check::TroubleCode;

    fn trouble(about: &str, may_end_soon: bool) -> Trouble {
        Trouble { code: TroubleCode::JobFailed, about: about.to_owned(), message: "why".to_owned(), may_end_soon }
    }

    fn open(alert_no: i64, about: &str) -> OpenAlert {
        let (code, message) = ("JOB_FAILED".to_owned(), "why".to_owned());
        OpenAlert { alert_no, code, about: about.to_owned(), message, began_at: DateTime::UNIX_EPOCH }
    }

    #[test]
    fn each_trouble_begins_once_and_ends_once() {
        let both = || vec![trouble("close_day", false), trouble("ingest_files", false)];
        let first = Changes::of(&[], both());
        assert_eq!(first, Changes { began: both(), over: Vec::new() });
        let alerts = [open(1, "close_day"), open(2, "ingest_files")];
        assert!(Changes::of(&alerts, both()).is_none());
        let one_over = Changes::of(&alerts, vec![trouble("ingest_files", false)]);
        assert_eq!(one_over, Changes { began: Vec::new(), over: vec![open(1, "close_day")] });
    }

    #[test]
    fn what_may_end_soon_neither_begins_nor_ends() {
        assert!(Changes::of(&[], vec![trouble("close_day", true)]).is_none());
        assert!(Changes::of(&[open(1, "close_day")], vec![trouble("close_day", true)]).is_none());
    }
}
