//! What the jobs that instruct banks share: they review the plans that are due, page by page, and record the results.
//! Instructions of the open day are drafts and are made again at each review. They are sent with the day's files once
//! the day is sealed.

use anyhow::Result;
use chrono::NaiveDate;

use super::culprit;
use super::done::Done;
use super::environment::Environment;
use super::order_decisions::PAGE;
use crate::domain::bank::instruction::{Attempt, Direction, Next};
use crate::domain::calendar::plus;
use crate::domain::intake::code::ExceptionCode;
use crate::domain::money::Currency;
use crate::domain::owner::Owner;
use crate::domain::terms::policy::Terms;
use crate::domain::words;
use crate::domain::words::count;
use crate::files::reports::sha256;
use crate::scheme::Merchant;
use crate::store::exceptions::NewException;
use crate::store::instructions::{Plan, StoredInstruction};
use crate::store::{Tx, exceptions, instructions};

/// Whether any version of a merchant's policy up to a day uses a direction.
pub fn uses(merchant: &Merchant, direction: Direction, day: NaiveDate) -> bool {
    let in_terms = |terms: &Terms| match direction {
        Direction::Debit => terms.debit.is_some(),
        Direction::PayOut => terms.pay_out.is_some(),
    };
    merchant.policy.versions.iter().filter(|terms| terms.effective_from <= day).any(in_terms)
}

/// The findings about a page of plans.
pub struct Findings {
    pub today: NaiveDate,
    direction: Direction,
    plans: Vec<Plan>,
    instructions: Vec<(String, Currency, Attempt)>,
    asked_after: Vec<String>,
    opened: Vec<NewException>,
    /// The codes and keys of exceptions to resolve.
    pub settled: Vec<(ExceptionCode, String)>,
}

impl Findings {
    pub fn new(direction: Direction, today: NaiveDate) -> Findings {
        Findings {
            today,
            direction,
            plans: Vec::new(),
            instructions: Vec::new(),
            asked_after: Vec::new(),
            opened: Vec::new(),
            settled: Vec::new(),
        }
    }

    pub fn plan(&mut self, plan: Plan) {
        self.plans.push(plan);
    }

    pub fn open(&mut self, exception: NewException) {
        self.opened.push(exception);
    }

    /// Adds an instruction, if one is due now, and returns the day of the next review.
    pub fn take(
        &mut self,
        order: &Asked<'_>,
        next: Next,
        earlier: &[&Attempt],
        due_on: Option<NaiveDate>,
    ) -> Option<NaiveDate> {
        let minor = match next {
            Next::Now(minor) => minor,
            Next::On(day) => return Some(day),
            Next::Nothing | Next::Exhausted => return None,
        };
        let number = earlier.iter().map(|attempt| attempt.number).max().unwrap_or(0) + 1;
        let attempt = Attempt {
            id: instruction_id(self.direction, order, number),
            instalment: order.instalment,
            number,
            minor,
            due_on,
            instructed_on: self.today,
            answer: None,
            asked_after: false,
        };
        let next_review_on = attempt.ask_on(order.no_answer_after);
        self.instructions.push((order.order_id.to_owned(), order.currency, attempt));
        next_review_on
    }

    /// Opens exceptions about overdue answers, and returns the day on which the next answer becomes overdue.
    pub fn ask_after(&mut self, earlier: &[StoredInstruction], no_answer_after: i64) -> Option<NaiveDate> {
        let mut next_review_on = None;
        for stored in earlier {
            match stored.attempt.ask_on(no_answer_after) {
                Some(day) if day <= self.today => {
                    self.asked_after.push(stored.attempt.id.clone());
                    self.opened.push(no_answer(stored));
                }
                Some(day) => next_review_on = sooner(next_review_on, Some(day)),
                None => {}
            }
        }
        next_review_on
    }

    async fn write(self, tx: &mut Tx, merchant: &str) -> Result<i64> {
        instructions::add(tx, merchant, self.direction, &self.instructions).await?;
        instructions::asked_after(tx, merchant, self.today, &self.asked_after).await?;
        instructions::save_plans(tx, merchant, self.direction, &self.plans).await?;
        for (code, row_key) in &self.settled {
            exceptions::resolve(tx, Owner::Merchant(merchant), &[*code], &[row_key], self.today).await?;
        }
        exceptions::open(tx, Owner::Merchant(merchant), self.today, &self.opened).await?;
        Ok(i64::try_from(self.instructions.len()).unwrap_or(i64::MAX))
    }
}

/// The order and instalment that an instruction is about.
pub struct Asked<'a> {
    pub merchant: &'a str,
    pub order_id: &'a str,
    /// 0 for a pay-out.
    pub instalment: i64,
    pub currency: Currency,
    pub no_answer_after: i64,
}

/// Reviews every plan of a merchant that is due. `look` returns the findings about a page of plans.
pub async fn run<F>(
    environment: &Environment,
    merchant: &Merchant,
    direction: Direction,
    today: NaiveDate,
    look: F,
) -> Result<Done>
where
    F: AsyncFn(&mut Tx, &[Plan]) -> Result<Findings>,
{
    if !uses(merchant, direction, today) {
        return Ok(Done::default());
    }
    let id = &merchant.id;
    let made_of = async |tx: &mut Tx, page: &[Plan]| {
        let ids: Vec<&str> = page.iter().map(|plan| plan.order_id.as_str()).collect();
        instructions::withdraw(tx, id, direction, &ids, today).await?;
        look(tx, page).await?.write(tx, id).await
    };
    let (mut reviewed, mut made) = (0, 0);
    let mut after = (NaiveDate::default(), String::new());
    loop {
        let mut tx = environment.store.write().await?;
        let page = instructions::to_review(&mut tx, id, direction, today, (after.0, &after.1), PAGE).await?;
        let Some(last) = page.last() else { break };
        after = (last.next_review_on.unwrap_or(today), last.order_id.clone());
        match made_of(&mut tx, &page).await {
            Ok(count) => made += count,
            Err(why) => {
                drop(tx);
                let attempt =
                    async |page: &[Plan]| made_of(&mut environment.store.write().await?, page).await.map(|_| ());
                return Err(culprit::named(id, &page, |plan| &plan.order_id, why, attempt).await);
            }
        }
        tx.commit().await?;
        reviewed += i64::try_from(page.len()).unwrap_or(i64::MAX);
        (environment.progress)(&format!("{today} {id}: {} reviewed", count(reviewed, "plan")));
    }
    Ok(Done(vec![("plans reviewed", reviewed), ("instructions", made)]))
}

pub async fn dry_run(
    environment: &Environment,
    merchant: &Merchant,
    direction: Direction,
    today: NaiveDate,
) -> Result<Vec<String>> {
    if !uses(merchant, direction, today) {
        return Ok(Vec::new());
    }
    let mut tx = environment.store.read().await?;
    let count = instructions::count_to_review(&mut tx, &merchant.id, direction, today).await?;
    Ok(vec![format!("{}: {} would be reviewed for {today}", merchant.id, words::count(count, "plan"))])
}

pub fn sooner(a: Option<NaiveDate>, b: Option<NaiveDate>) -> Option<NaiveDate> {
    a.into_iter().chain(b).min()
}

/// Returns an instruction's id. The same attempt has the same id, however often its draft is made.
fn instruction_id(direction: Direction, order: &Asked<'_>, number: i64) -> String {
    let letter = match direction {
        Direction::Debit => 'D',
        Direction::PayOut => 'P',
    };
    let Asked { merchant, order_id, instalment, .. } = order;
    let what = format!("{}\u{1f}{merchant}\u{1f}{order_id}\u{1f}{instalment}\u{1f}{number}", direction.name());
    format!("{letter}{}", &sha256(what.as_bytes())[..20])
}

fn no_answer(stored: &StoredInstruction) -> NewException {
    let Attempt { id, minor, instructed_on, .. } = &stored.attempt;
    let (code, what) = match stored.direction {
        Direction::Debit => (ExceptionCode::DebitNoAnswer, "debit"),
        Direction::PayOut => (ExceptionCode::PayoutNoAnswer, "pay-out"),
    };
    let out = plus(*instructed_on, 1);
    let message = format!("{what} {id} of {instructed_on}, out since {out}, has no answer yet; ask the bank");
    NewException {
        row_key: id.clone(),
        order_id: stored.order_id.clone(),
        amount_minor: Some(*minor),
        currency: Some(stored.currency.code().to_owned()),
        ..NewException::new(code, message)
    }
}
