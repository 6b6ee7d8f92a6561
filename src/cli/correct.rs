//! `paylater correct`: records a person's correction of a wrong fact, with the person's name and the reason.

use anyhow::{Context, Result, anyhow};

use super::open::At;
use super::table::show;
use super::{Ending, Misconfigured, json};
use crate::clock;
use crate::domain::calendar::{instant_of, plus};
use crate::domain::facts::correction::parse_kind;
use crate::domain::facts::fact::FactKind;
use crate::domain::intake::status::RowOutcome;
use crate::domain::words::count;
use crate::files::reports::sha256;
use crate::jobs::ingest_files::by_hand::{self, Answer, ByHand, CorrectionOutcome};
use crate::scheme::{Clock, Merchant, Scheme};
use crate::store::Lane;
use crate::views::correction::CorrectionResult;
use crate::views::instalment::Instalment;

/// A correction voids a fact, or replaces values of it; the books keep both. The close of the open day corrects the due dates,
/// fees, credit flags and money that followed from the fact. Values without an option stay as they were.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  paylater correct payment P-17 --void --reason 'sent by mistake' --by wang.li\n  paylater correct hold H-3 --ends-on 2026-03-16 --reason 'dispute settled' --by wang.li\n  paylater correct fulfilment T-9:delivered --at '2026-03-04 10:00:00' --reason 'typed wrong' --by wang.li\n\nA fulfilment's key is its order and event. To undo a correction, correct the fact again: the latest correction counts.\nTo correct many facts at once, send a file of corrections (docs/file-formats.md)."
)]
pub struct Correct {
    /// fulfilment, payment, refund, chargeback, extension, hold, waiver or pay_out.
    kind: String,

    /// The fact's key, as in its file; for a fulfilment, ORDER:EVENT.
    fact: String,

    /// The reason, for whoever signs the books. Name no customer.
    #[arg(long, value_name = "TEXT")]
    reason: String,

    /// Who approved the correction.
    #[arg(long, value_name = "NAME")]
    by: String,

    /// Void the fact: it never happened.
    #[arg(long)]
    void: bool,

    /// When it really happened: a day, or a day and a time.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,

    /// The correct amount of a payment, refund, chargeback or waiver.
    #[arg(long, value_name = "AMOUNT")]
    amount: Option<String>,

    /// The amount's currency, if it is not the merchant's.
    #[arg(long, value_name = "CODE", requires = "amount")]
    currency: Option<String>,

    /// The correct number of days of an extension.
    #[arg(long, value_name = "N")]
    days: Option<i64>,

    /// The last day of a hold, earlier or later than before.
    #[arg(long, value_name = "DATE")]
    ends_on: Option<String>,

    /// The reason of a hold.
    #[arg(long, value_name = "REASON")]
    hold_reason: Option<String>,

    /// The payment that a chargeback takes back.
    #[arg(long, value_name = "PAYMENT")]
    payment: Option<String>,

    /// How a payment was made.
    #[arg(long, value_name = "CHANNEL")]
    channel: Option<String>,

    /// The order that waiting money should have named.
    #[arg(long, value_name = "ORDER")]
    order: Option<String>,

    /// The merchant whose fact it is; not needed if the scheme has only one.
    #[arg(long, value_name = "MERCHANT")]
    merchant: Option<String>,

    /// The correction's own key; by default, a key made from its content.
    #[arg(long, value_name = "KEY")]
    id: Option<String>,

    /// Show the outcome and its effect on the order, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

impl Correct {
    pub async fn run(self, at: &At) -> Result<Ending> {
        let kind = parse_kind(&self.kind).with_context(|| {
            format!(
                "{:?} can't be corrected; write fulfilment, payment, refund, chargeback, extension, hold, waiver or pay_out",
                self.kind
            )
        });
        let kind = kind.map_err(Misconfigured)?;
        if self.dry_run {
            let environment = at.look().await?;
            let today = environment.business_date().await?;
            let merchant = self.merchant(&environment.scheme).map_err(Misconfigured)?;
            let by_hand = self.by_hand(kind, &environment.scheme, merchant, today);
            let answer = by_hand::preview(&environment, merchant, &by_hand, today).await?;
            return self.report(at, merchant, kind, by_hand, answer);
        }
        let work = at.work(&[Lane::Books], "correct").await?;
        let today = work.environment.business_date().await?;
        let merchant = self.merchant(&work.environment.scheme).map_err(Misconfigured)?;
        let by_hand = self.by_hand(kind, &work.environment.scheme, merchant, today);
        let answer = by_hand::correct(&work.environment, merchant, &by_hand, today).await;
        work.progress.finish();
        let ending = self.report(at, merchant, kind, by_hand, answer?)?;
        work.environment.store.close().await;
        Ok(ending)
    }

    fn merchant<'c>(&self, scheme: &'c Scheme) -> Result<&'c Merchant> {
        match (&self.merchant, scheme.merchants.as_slice()) {
            (Some(id), _) => scheme.merchant_named(id).map(AsRef::as_ref),
            (None, [only]) => Ok(only),
            (None, _) => {
                Err(anyhow!("the scheme has several merchants; name the one whose fact it is with --merchant ID"))
            }
        }
    }

    /// Returns the correction as a row of a corrections file.
    fn by_hand(&self, kind: FactKind, scheme: &Scheme, merchant: &Merchant, today: chrono::NaiveDate) -> ByHand {
        let time_column = match kind {
            FactKind::Fulfilment | FactKind::PayOut => "occurred_at",
            FactKind::Payment => "paid_at",
            FactKind::Refund => "refunded_at",
            FactKind::Chargeback => "charged_back_at",
            FactKind::Extension => "requested_at",
            FactKind::Waiver => "waived_on",
            FactKind::Hold | FactKind::Notice | FactKind::GivenBack => "starts_on",
        };
        // With the business clock, the correction is made in the last second of the open day, so that it is the latest
        // correction of that day.
        let corrected_at = match scheme.clock {
            Clock::Wall => clock::now(),
            Clock::Business => {
                instant_of(plus(today, 1).and_time(chrono::NaiveTime::MIN), scheme.zone) - chrono::Duration::seconds(1)
            }
        };
        let usual = merchant.policy.in_force(today).unwrap_or(&merchant.policy.versions[0]).currency;
        let currency = self.currency.clone().unwrap_or_else(|| usual.code().to_owned());
        let given = |text: &Option<String>| text.clone().unwrap_or_default();
        let mut cells = vec![
            ("kind", kind.to_string()),
            ("fact_id", self.fact.clone()),
            ("action", if self.void { "void" } else { "replace" }.to_owned()),
            ("corrected_at", corrected_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)),
            ("reason", self.reason.clone()),
            ("approved_by", self.by.clone()),
            ("order_id", given(&self.order)),
            ("amount", given(&self.amount)),
            ("currency", if self.amount.is_some() { currency } else { String::new() }),
            (time_column, given(&self.at)),
            ("days", self.days.map(|days| days.to_string()).unwrap_or_default()),
            ("ends_on", given(&self.ends_on)),
            ("hold_reason", given(&self.hold_reason)),
            ("payment_id", given(&self.payment)),
        ];
        cells.extend(self.channel.clone().map(|channel| ("channel", channel)));
        let said: Vec<&str> = cells.iter().map(|(_, cell)| cell.as_str()).collect();
        let made = || format!("hand-{}", &sha256(said.join("\u{1f}").as_bytes())[..12]);
        let id = self.id.clone().unwrap_or_else(made);
        cells.insert(0, ("correction_id", id.clone()));
        ByHand { id, cells }
    }

    fn report(&self, at: &At, merchant: &Merchant, kind: FactKind, by_hand: ByHand, answer: Answer) -> Result<Ending> {
        let (merchant, fact) = (merchant.id.clone(), (kind, self.fact.as_str()));
        let result = CorrectionResult::of(by_hand.id, merchant, fact, answer, self.dry_run);
        if at.json {
            json::print(&result)?;
        } else {
            print(&result);
        }
        Ok(if result.is_taken() { Ending::Done } else { Ending::Failures })
    }
}

fn print(result: &CorrectionResult) {
    let CorrectionResult { correction_id, kind, fact_id, outcome, code, message, .. } = result;
    let why = match (code, message) {
        (Some(code), message) => format!(", {code}: {}", message.as_deref().unwrap_or_default()),
        (None, _) => String::new(),
    };
    let would = if result.dry_run { "would be " } else { "" };
    show!("correction {correction_id} of {kind} {fact_id}: {would}{outcome}{why}");
    let preview = result.preview.as_ref().filter(|_| *outcome == CorrectionOutcome::Row(RowOutcome::Accepted));
    for (before, after) in preview.into_iter().flat_map(|preview| preview.before.iter().zip(&preview.after)) {
        show!("  instalment {}, now:  {}", before.instalment, words(before));
        show!("  instalment {}, then: {}", after.instalment, words(after));
    }
}

fn words(instalment: &Instalment) -> String {
    let due = instalment.due_on.map_or("no due date yet".to_owned(), |due_on| format!("due {due_on}"));
    let Instalment { outstanding, late_fee_open: fee, .. } = instalment;
    let fee = fee.currency.plain(fee.minor);
    format!("{due}, {outstanding} open, late fee {fee} open, {} past due", count(instalment.days_past_due, "day"))
}
