//! How facts are written in columns, their own and those of corrections.

use anyhow::{Context, Result};
use chrono::NaiveDate;

use crate::domain::facts::fact::{Event, FactKind, HoldReason, What};

/// The day on which the money of fact `f` is booked: the day it came, or its own day if that is later. In the words of the
/// indexes by that day.
pub(super) const BOOKED_DAY: &str = "(CASE WHEN f.effective_on > f.booked_on THEN f.effective_on ELSE f.booked_on END)";

/// A fact's own part, as columns of a table.
#[derive(Default, sqlx::FromRow)]
pub(super) struct Columns {
    pub amount_minor: Option<i64>,
    pub days: Option<i64>,
    pub ends_on: Option<NaiveDate>,
    pub detail: Option<String>,
    pub suspended: bool,
}

impl Columns {
    pub fn of(what: &What) -> Columns {
        match *what {
            What::Fulfilment(event) => Columns { detail: Some(event.name().to_owned()), ..Columns::default() },
            What::Payment { minor, suspended } | What::Refund { minor, suspended } => {
                Columns { amount_minor: Some(minor), suspended, ..Columns::default() }
            }
            What::Chargeback { minor, ref payment_id, suspended } => {
                let detail = Some(payment_id.clone());
                Columns { amount_minor: Some(minor), detail, suspended, ..Columns::default() }
            }
            What::Extension { days } => Columns { days: Some(days), ..Columns::default() },
            What::Hold { reason, ends_on } => {
                Columns { detail: Some(reason.name().to_owned()), ends_on, ..Columns::default() }
            }
            What::Waiver { minor } | What::PayOut { minor } => {
                Columns { amount_minor: Some(minor), ..Columns::default() }
            }
            What::Notice { instalment } => Columns { detail: Some(instalment.to_string()), ..Columns::default() },
            What::GivenBack => Columns::default(),
        }
    }

    /// What a fact of a kind says.
    pub fn read(&self, kind: FactKind) -> Result<What> {
        let detail = self.detail.as_deref().unwrap_or_default();
        let minor = || self.amount_minor.context("no amount");
        Ok(match kind {
            FactKind::Fulfilment => What::Fulfilment(Event::parse(detail).context("unknown event")?),
            FactKind::Payment => What::Payment { minor: minor()?, suspended: self.suspended },
            FactKind::Refund => What::Refund { minor: minor()?, suspended: self.suspended },
            FactKind::Chargeback => {
                let payment_id = detail.to_owned();
                What::Chargeback { minor: minor()?, payment_id, suspended: self.suspended }
            }
            FactKind::Extension => What::Extension { days: self.days.context("no days")? },
            FactKind::Hold => {
                What::Hold { reason: HoldReason::parse(detail).context("unknown reason")?, ends_on: self.ends_on }
            }
            FactKind::Waiver => What::Waiver { minor: minor()? },
            FactKind::PayOut => What::PayOut { minor: minor()? },
            FactKind::GivenBack => What::GivenBack,
            FactKind::Notice => What::Notice { instalment: detail.parse().context("no instalment")? },
        })
    }
}
