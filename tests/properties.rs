//! Properties of every order, with any terms and any facts.
//!
//! The facts are random and arrive as in the daemon: each is booked on a day, in order, unless a rule refuses it. Some
//! are dated before the day of their booking, some after.

use crate::support::day_by_day;

use std::collections::BTreeMap;

use crate::support::random_orders::{HORIZON, ORDERED_ON, any_day, known_order, shares};
use chrono::NaiveDate;
use paylater::domain::calendar::plus;
use paylater::domain::decide::credit_record::{CreditRecord, CreditStatus, CreditStep};
use paylater::domain::decide::end_of_day::{Decision, decide};
use paylater::domain::decide::holds::holds;
use paylater::domain::decide::pay_off::{owed_in_all, paid, pay_off};
use paylater::domain::decide::position::Position;
use paylater::domain::facts::case::Case;
use paylater::domain::facts::fact::{Fact, What};
use paylater::domain::facts::source::Source;
use paylater::domain::journal::{Account, Declared, Entry, EntryKind, Movement, Recorded, difference};
use paylater::domain::money::split;
use paylater::domain::terms::hold::HoldEffect;
use paylater::domain::terms::late_fee::{CapScope, Charge, FeeKind};
use paylater::domain::terms::policy::Terms;
use paylater::domain::terms::reference_rate::AnnualRate;
use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, RngSeed};
use rust_decimal::Decimal;

/// Returns the settings of a property. The random orders are the same in every run, so that a failure is due to a
/// change of the code. `PROPTEST_RNG_SEED=7` chooses others, `PROPTEST_CASES=500` sets a maximum number.
fn cases(cases: u32) -> ProptestConfig {
    let usual = ProptestConfig::default();
    let rng_seed = match usual.rng_seed {
        RngSeed::Random => RngSeed::Fixed(2026),
        given @ RngSeed::Fixed(_) => given,
    };
    let most = std::env::var_os("PROPTEST_CASES").map_or(cases, |_| usual.cases);
    // Failed cases are saved beside this file.
    let failure_persistence = Some(Box::new(FileFailurePersistence::WithSource("proptest-regressions")) as _);
    ProptestConfig { cases: cases.min(most), rng_seed, failure_persistence, ..usual }
}

proptest! {
    #![proptest_config(cases(100_000))]

    /// The day-by-day computation agrees on every figure.
    #[test]
    fn a_slow_walk_through_the_days_comes_to_the_same((terms, case) in known_order(), today in any_day()) {
        let decision = decide(&case, &terms, &[], today).unwrap();
        let (walked, credit) = day_by_day::walk(&case, &terms, today);
        let decided: Vec<_> = decision.positions.iter().map(walked_as).collect();
        prop_assert_eq!(decided, walked);
        prop_assert_eq!(-balance(&decision.movements, Account::CustomerCredit), credit);
    }
}

proptest! {
    #![proptest_config(cases(10_000))]

    /// Whoever pays what it takes to be rid of an order owes nothing at the end of the day and later; one minor unit less
    /// is not enough.
    #[test]
    fn what_it_takes_to_be_rid_of_an_order((terms, case) in known_order(), on in any_day()) {
        // What is known ahead of the day can ask for more later.
        let case = Case { facts: case.facts.into_iter().filter(|fact| fact.effective_on <= on).collect(), ..case };
        let minor = pay_off(&case, &terms, on).unwrap();
        let left = |case: &Case, on| {
            let positions = decide(case, &terms, &[], on).unwrap().positions;
            positions.iter().map(owed_in_all).sum::<i64>()
        };
        if minor == 0 {
            prop_assert_eq!(left(&case, on), 0);
            return Ok(());
        }
        let paid_off = paid(&case, minor, on);
        for later in [on, plus(on, 1), plus(on, 40)] {
            prop_assert_eq!(left(&paid_off, later), 0, "{} paid on {}, left on {}", minor, on, later);
        }
        prop_assert!(minor == 1 || left(&paid(&case, minor - 1, on), on) > 0, "{minor} is more than it takes");
    }
}

proptest! {
    #![proptest_config(cases(1_000))]

    /// The balances from the movements equal the positions, and no balance is negative.
    #[test]
    fn movements_add_up_to_the_positions((terms, case) in known_order(), today in any_day()) {
        let Decision { positions, movements, .. } = decide(&case, &terms, &[], today).unwrap();
        for position in &positions {
            prop_assert!(position.paid >= 0 && position.refunded >= 0 && position.outstanding() >= 0);
            prop_assert!(0 <= position.late_fee_paid && position.late_fee_paid <= position.late_fee);
            prop_assert!(position.days_past_due >= 0);
            prop_assert!(0 <= position.recovered && position.recovered <= position.written_off);
            if position.written_off_on.is_some() {
                prop_assert!(!position.is_open(), "what is written off is no receivable any more");
            } else {
                prop_assert_eq!(position.written_off, 0);
            }
        }
        prop_assert!(movements.iter().all(|declared| declared.minor > 0));
        prop_assert_eq!(net(&movements).len(), movements.len(), "each movement is declared once");

        let balance = |account| balance(&movements, account);
        let outstanding: i64 = positions.iter().map(Position::outstanding).sum();
        let fee_owed: i64 = positions.iter().map(Position::fee_owed).sum();
        let late_fees: i64 = positions.iter().map(|position| position.late_fee).sum();
        prop_assert_eq!(balance(Account::ReceivablePrincipal), outstanding);
        prop_assert_eq!(balance(Account::ReceivableLateFee), fee_owed);
        prop_assert_eq!(-balance(Account::IncomeLateFee), late_fees);

        let written_off: i64 = positions.iter().map(|position| position.written_off).sum();
        let recovered: i64 = positions.iter().map(|position| position.recovered).sum();
        prop_assert_eq!(balance(Account::ExpensesBadDebt), written_off);
        prop_assert_eq!(-balance(Account::IncomeRecovery), recovered);

        let money = Money::of(&case, today);
        prop_assert_eq!(balance(Account::CashClearing), money.paid - money.paid_out - money.given_back);
        prop_assert_eq!(balance(Account::Suspense), money.from_suspense);
        let service_fee = -balance(Account::IncomeServiceFee);
        prop_assert!(0 <= service_fee && service_fee <= case.order.amount_minor);
        let credit = -balance(Account::CustomerCredit);
        prop_assert!(credit + money.paid_out + money.given_back <= money.paid_in_all, "no credit for what was never paid");
        prop_assert!(money.paid_out + money.given_back > 0 || credit <= money.paid_in_all - money.taken_back, "nor for what is not any more");
        // Credit can be missing only if it was paid out before late news or a chargeback took it back, and at most by
        // the amount that was paid out.
        let on_time = case.facts.iter().all(|fact| fact.booked_on <= fact.effective_on.max(ORDERED_ON));
        let certain = on_time && money.taken_back == 0 && money.given_back == 0;
        prop_assert!(if certain { 0 } else { -money.paid_out - money.given_back } <= credit, "credit {credit}");
        prop_assert_eq!(Account::ALL.into_iter().map(balance).sum::<i64>(), 0);
    }

    #[test]
    fn a_fee_never_passes_a_cap((terms, case) in known_order(), today in any_day()) {
        let rule = terms.late_fee.of(case.order.amount_minor);
        let positions = decide(&case, &terms, &[], today).unwrap().positions;
        let fees: Vec<i64> = positions.iter().map(|position| position.late_fee_charged).collect();
        let in_all: i64 = fees.iter().sum();
        let capped = match rule.caps.scope {
            CapScope::Instalment => fees.iter().copied().max().unwrap(),
            CapScope::Order => in_all,
        };
        prop_assert!(rule.caps.amount.is_none_or(|amount| capped <= amount));
        if let Some(share) = rule.caps.order_share {
            prop_assert!(Decimal::from(capped) <= share * Decimal::from(case.order.amount_minor));
        }
        for position in positions {
            let fee = Decimal::from(position.late_fee_charged);
            prop_assert!(position.late_fee <= position.late_fee_charged);
            if let Some(rate) = &rule.caps.annual_rate {
                let ordered_on = case.order.ordered_on;
                let highest = (-5..=HORIZON).map(|days| rate.sum(ordered_on, plus(ORDERED_ON, days - 1), plus(ORDERED_ON, days)));
                let most = highest.max().unwrap() * Decimal::from(position.days_past_due);
                prop_assert!(fee * Decimal::from(365) <= most * Decimal::from(position.principal));
            }
            if let FeeKind::Steps(steps) = &rule.kind {
                let counted = steps.iter().take(rule.caps.steps.unwrap_or(usize::MAX));
                let charges = counted.map(|step| match step.charge {
                    Charge::Amount(minor) => Decimal::from(minor),
                    Charge::Rate(rate) => rate * Decimal::from(position.principal) + Decimal::ONE,
                });
                prop_assert!(fee <= charges.sum::<Decimal>());
            }
        }
    }

    /// The fee does not change before the day of the next action. It changes on that day, unless the next action is a
    /// due date, a write-off, the end of a hold, or a review of reference rates that can still get new entries.
    #[test]
    fn the_next_change_of_a_fee_is_foretold_exactly((terms, case) in known_order(), decided_on in any_day()) {
        let terms = Terms { credit: None, ..terms };
        let facts: Vec<Fact> = case.effective_by(decided_on).into_iter().cloned().collect();
        let holds_end = holds(&facts.iter().collect::<Vec<_>>(), &terms).into_iter().map(|span| plus(span.last, 1));
        let wakes: Vec<NaiveDate> = holds_end.collect();
        let case = Case::new(case.order, facts);
        let rule = terms.late_fee.of(case.order.amount_minor);
        let open_rates = rule.caps.annual_rate.as_ref().is_some_and(AnnualRate::may_change);
        let end = plus(decided_on, HORIZON);
        let mut today = decided_on;
        while today < end {
            let decision = decide(&case, &terms, &[], today).unwrap();
            if decision.clock.on().is_none() {
                break;
            }
            let next = decision.next_action_on.unwrap_or(end).min(end);
            for later in today.iter_days().skip(1).take_while(|later| *later < next) {
                prop_assert_eq!(fees(&decide(&case, &terms, &[], later).unwrap()), fees(&decision), "{} to {}", today, later);
            }
            let due = decision.positions.iter().any(|position| position.due_on == Some(next));
            let then = decide(&case, &terms, &[], next).unwrap();
            let written_off = then.positions.iter().any(|position| position.written_off_on == Some(next));
            if next < end && !due && !written_off && !wakes.contains(&next) && !open_rates {
                prop_assert_ne!(fees(&then), fees(&decision), "{} to {}", today, next);
            }
            today = next;
        }
    }

    /// Once the principal is gone, the charged fee can only decrease, until a payment is charged back or the rest is
    /// written off. Before waivers, this is true of each instalment. After waivers, it is true of the order, because a
    /// waiver belongs to the order and goes to its oldest fees first.
    #[test]
    fn a_fee_never_grows_after_the_principal_is_gone((terms, case) in known_order()) {
        // With a cap on the whole order, a fee that an extension gives back makes room for a fee of another instalment.
        let together = terms.late_fee.of(case.order.amount_minor).caps.scope == CapScope::Order;
        let mut charged_when_gone: BTreeMap<(i64, Option<NaiveDate>), i64> = BTreeMap::new();
        let mut owed_when_gone: BTreeMap<Vec<Option<NaiveDate>>, i64> = BTreeMap::new();
        for today in days() {
            let decision = decide(&case, &terms, &[], today).unwrap();
            for position in &decision.positions {
                if position.outstanding() > 0 {
                    charged_when_gone.retain(|(instalment, _), _| *instalment != position.instalment);
                    continue;
                }
                let charged = charged(&decision, position.instalment);
                let gone = (position.instalment, position.written_off_on);
                let before = *charged_when_gone.entry(gone).or_insert(charged);
                prop_assert!(together || charged <= before, "{today}: {charged} after {before}");
            }
            if decision.positions.iter().any(|position| position.outstanding() > 0) {
                owed_when_gone.clear();
            } else {
                let gone = decision.positions.iter().map(|position| position.written_off_on).collect();
                let owed = decision.positions.iter().map(|position| position.late_fee).sum();
                let before = owed_when_gone.insert(gone, owed);
                prop_assert!(before.is_none_or(|before| owed <= before), "{today}: {owed} after {before:?}");
            }
        }
    }

    #[test]
    fn the_order_in_which_facts_are_listed_is_no_matter(
        ((terms, case), shuffled) in known_order().prop_flat_map(|(terms, case)| {
            let shuffled = Just(case.facts.clone()).prop_shuffle();
            (Just((terms, case)), shuffled)
        }),
        today in any_day(),
    ) {
        let shuffled = Case::new(case.order.clone(), shuffled);
        prop_assert_eq!(decide(&case, &terms, &[], today).unwrap(), decide(&shuffled, &terms, &[], today).unwrap());
    }

    /// Until the next action, no money moves, and the days past due are those that the position predicts.
    #[test]
    fn nothing_changes_by_itself_before_the_next_action((terms, case) in known_order(), decided_on in any_day()) {
        let decision = decide(&case, &terms, &[], decided_on).unwrap();
        let standings = standings(&decision);
        let until = decision.next_action_on.unwrap_or(NaiveDate::MAX).min(plus(decided_on, HORIZON));
        prop_assert!(decision.next_action_on.is_none_or(|next| next > decided_on));
        for today in decided_on.iter_days().take_while(|day| *day < until) {
            let later = decide(&case, &terms, &standings, today).unwrap();
            prop_assert_eq!(net(&later.movements), net(&decision.movements), "{}", today);
            prop_assert_eq!(&later.credit_steps, &[], "{}", today);
            for (before, after) in decision.positions.iter().zip(&later.positions) {
                prop_assert_eq!(before.days_past_due_on(today), after.days_past_due, "{}", today);
                prop_assert_eq!(timeless(before), timeless(after), "{}", today);
            }
        }
    }

    #[test]
    fn splitting_loses_no_unit(minor in 0_i64..1_000_000, shares in shares()) {
        let shares: Vec<Decimal> = shares.iter().map(|share| share.share).collect();
        let parts = split(minor, &shares);
        prop_assert_eq!(parts.iter().sum::<i64>(), minor);
        for (part, share) in parts.iter().zip(&shares) {
            let exact = share * Decimal::from(minor);
            prop_assert!((Decimal::from(*part) - exact).abs() < Decimal::ONE, "{part} for {exact}");
        }
    }
}

proptest! {
    #![proptest_config(cases(400))]

    /// Closing every day posts the same net movements as deciding once at the end, even if some days were missed.
    #[test]
    fn missed_days_make_no_difference_to_the_books(
        (terms, case) in known_order(),
        open in proptest::collection::vec(any::<bool>(), usize::try_from(HORIZON).unwrap() + 1),
    ) {
        let (mut daily, mut now_and_then) = (Books::default(), Books::default());
        for (today, open) in days().zip(open) {
            daily.close(&case, &terms, today);
            prop_assert_eq!(&daily.net(), &net(&decide(&case.as_known_on(today), &terms, &[], today).unwrap().movements));
            if open {
                now_and_then.close(&case, &terms, today);
                prop_assert_eq!(&now_and_then.net(), &daily.net(), "{}", today);
            }
        }
    }

    #[test]
    fn deciding_twice_posts_nothing((terms, case) in known_order()) {
        let mut books = Books::default();
        for today in days().step_by(5) {
            books.close(&case, &terms, today);
            let (positions, steps) = (books.positions.clone(), books.steps.len());
            prop_assert_eq!(books.close(&case, &terms, today), []);
            prop_assert_eq!((&books.positions, books.steps.len()), (&positions, steps));
        }
    }

    /// A close decides only orders with a new fact or a due next action. That is enough: the books, positions and
    /// credit record are the same as if it decided every order every day. A notice is sent `delay` days after it is
    /// due.
    #[test]
    fn working_by_the_next_action_misses_nothing((terms, mut case) in known_order(), delay in 0_i64..3) {
        let (mut daily, mut woken) = (Books::default(), Books::default());
        for today in days() {
            daily.close(&case, &terms, today);
            let has_news = case.facts.iter().any(|fact| fact.booked_on == today) || today == ORDERED_ON;
            if has_news || woken.next_action_on.is_some_and(|next| next <= today) {
                woken.close(&case, &terms, today);
            }
            prop_assert_eq!(&woken.net(), &daily.net(), "{}", today);
            prop_assert_eq!(&woken.steps, &daily.steps, "{}", today);
            for (woken, daily) in woken.positions.iter().zip(&daily.positions) {
                prop_assert_eq!(timeless(woken), timeless(daily), "{}", today);
                prop_assert_eq!(woken.days_past_due_on(today), daily.days_past_due, "{}", today);
            }
            let due = daily.steps.iter().filter(|(on, step)| *on == today && step.status == CreditStatus::NoticeDue);
            case.facts.extend(due.map(|(_, step)| notice(step.instalment, plus(today, delay + 1))));
        }
        // A flag needs a notice that was sent since it last became due, and is never too early.
        for (on, step) in daily.steps.iter().filter(|(_, step)| step.status == CreditStatus::Flagged) {
            let rule = terms.credit.unwrap();
            let fell_due = daily.steps.iter().filter(|(due, other)| {
                other.instalment == step.instalment && other.status == CreditStatus::NoticeDue && due <= on
            });
            let fell_due_on = fell_due.map(|(due, _)| *due).max();
            let sent = case.facts.iter().filter(|fact| fact.what == What::Notice { instalment: step.instalment });
            let mut sent_on = sent.map(|fact| fact.effective_on);
            prop_assert!(sent_on.any(|day| Some(day) >= fell_due_on && plus(day, rule.flag_after) <= *on));
            prop_assert!(step.days_past_due >= rule.notice_after && step.minor > 0);
        }
    }

    /// The credit record agrees with the days past due, as known on the day of the record.
    #[test]
    fn the_credit_record_says_what_the_days_say((terms, mut case) in known_order(), delay in 0_i64..3) {
        let mut books = Books::default();
        for today in days() {
            books.close(&case, &terms, today);
            let known = case.as_known_on(today);
            for position in &books.positions {
                let Some(rule) = terms.credit else { continue };
                let (record, days) =
                    (position.credit, day_by_day::left_since_due(&known, &terms, position.instalment, today));
                let late: Vec<NaiveDate> = days.iter().skip(1).filter(|(_, left)| *left > 0).map(|(day, _)| *day).collect();
                let unpaid = days.last().is_some_and(|(_, left)| *left > 0);
                let late_enough = |on: NaiveDate| late.contains(&on) && late.iter().filter(|day| **day <= on).count() >= usize::try_from(rule.notice_after).unwrap();
                // A current flag was right on its day, according to the facts known now.
                prop_assert!(record.flagged_on.is_none_or(late_enough), "{today}: {record:?} {days:?}");
                let in_words = format!("{today}: {record:?}, late on {late:?}, written off {:?}", position.written_off_on);
                match record.status {
                    CreditStatus::OnTime => prop_assert!(days.is_empty() || (late.is_empty() && days[0].1 == 0), "{in_words}"),
                    CreditStatus::NoticeDue | CreditStatus::NoticeSent | CreditStatus::Flagged => prop_assert!(unpaid, "{in_words}"),
                    CreditStatus::SettledLate | CreditStatus::Expired | CreditStatus::Corrected | CreditStatus::Clear => {
                        // If the instalment is past due long enough, only a hold or a write-off prevents a notice.
                        let kept = position.hold_effects.has(HoldEffect::Credit) || position.written_off_on.is_some();
                        prop_assert!(kept || !unpaid || late.len() < usize::try_from(rule.notice_after).unwrap(), "{in_words}");
                    }
                }
                prop_assert_eq!(record.status == CreditStatus::Flagged || record.status == CreditStatus::SettledLate, record.flagged_on.is_some() && !matches!(record.status, CreditStatus::NoticeDue | CreditStatus::NoticeSent));
                if let (CreditStatus::SettledLate, Some(after)) = (record.status, rule.expires_after) {
                    let settled_on = late.last().map_or(today, |day| plus(*day, 1));
                    prop_assert!(today < plus(settled_on, after) || unpaid, "{in_words}");
                }
            }
            let due = books.steps.iter().filter(|(on, step)| *on == today && step.status == CreditStatus::NoticeDue);
            case.facts.extend(due.map(|(_, step)| notice(step.instalment, plus(today, delay + 1))));
        }
    }
}

/// The entries, positions and steps recorded so far, as in the store.
#[derive(Default)]
struct Books {
    recorded: Vec<Recorded>,
    positions: Vec<Position>,
    steps: Vec<(NaiveDate, CreditStep)>,
    next_action_on: Option<NaiveDate>,
}

impl Books {
    /// Decides with the facts known on the day and posts the difference.
    fn close(&mut self, case: &Case, terms: &Terms, today: NaiveDate) -> Vec<Entry> {
        let standings: Vec<CreditRecord> = self.positions.iter().map(|position| position.credit).collect();
        let decision = decide(&case.as_known_on(today), terms, &standings, today).unwrap();
        let entries = difference(&decision.movements, &self.recorded);
        self.recorded.extend(entries.iter().map(|entry| Recorded {
            movement: entry.movement.clone(),
            minor: entry.minor,
            effective_on: entry.effective_on,
            source: entry.source,
        }));
        self.positions = decision.positions;
        self.steps.extend(decision.credit_steps.into_iter().map(|step| (today, step)));
        self.next_action_on = decision.next_action_on;
        entries
    }

    fn net(&self) -> BTreeMap<Movement, i64> {
        net_of(self.recorded.iter().map(|row| (&row.movement, row.minor)))
    }
}

/// Payments effective by a day, less chargebacks, and the money that left suspense: the whole amount of each fact that
/// was pending.
#[derive(Default)]
struct Money {
    paid: i64,
    paid_in_all: i64,
    from_suspense: i64,
    taken_back: i64,
    paid_out: i64,
    /// Refunds that the provider gave back itself.
    given_back: i64,
}

impl Money {
    fn of(case: &Case, today: NaiveDate) -> Money {
        let mut money = Money::default();
        let facts = case.effective_by(today);
        let given_back = |id: &str| facts.iter().any(|fact| fact.what == What::GivenBack && fact.id == id);
        for fact in &facts {
            match fact.what {
                What::Payment { minor, suspended } => {
                    money.paid_in_all += minor;
                    if suspended {
                        money.from_suspense += minor;
                    } else {
                        money.paid += minor;
                    }
                }
                What::Refund { minor, suspended } => {
                    money.from_suspense += if suspended { minor } else { 0 };
                    money.given_back += if given_back(&fact.id) { minor } else { 0 };
                }
                What::PayOut { minor } => money.paid_out += minor,
                What::Chargeback { minor, suspended, .. } => {
                    money.taken_back += minor;
                    if suspended {
                        money.from_suspense -= minor;
                    } else {
                        money.paid -= minor;
                    }
                }
                _ => {}
            }
        }
        money
    }
}

fn days() -> impl Iterator<Item = NaiveDate> {
    ORDERED_ON.iter_days().take_while(|day| *day <= plus(ORDERED_ON, HORIZON))
}

fn notice(instalment: i64, on: NaiveDate) -> Fact {
    Fact {
        id: format!("notice {instalment} {on}"),
        effective_at: on.and_hms_opt(9, 0, 0).unwrap().and_utc(),
        effective_on: on,
        booked_on: on,
        source: Source::default(),
        what: What::Notice { instalment },
    }
}

fn walked_as(position: &Position) -> day_by_day::Instalment {
    day_by_day::Instalment {
        due_on: position.due_on,
        ordered: position.principal,
        paid: position.paid,
        refunded: position.refunded,
        fee: position.late_fee,
        fee_paid: position.late_fee_paid,
        past_due: position.days_past_due,
        written_off: position.written_off,
        recovered: position.recovered,
    }
}

fn standings(decision: &Decision) -> Vec<CreditRecord> {
    decision.positions.iter().map(|position| position.credit).collect()
}

/// Returns the late fees by instalment, before waivers.
fn fees(decision: &Decision) -> Vec<i64> {
    decision.positions.iter().map(|position| position.late_fee_charged).collect()
}

/// Returns an instalment's late fee before waivers, as declared to the books.
fn charged(decision: &Decision, instalment: i64) -> i64 {
    let of = |declared: &&Declared| {
        (declared.movement.kind, declared.movement.instalment) == (EntryKind::LateFee, instalment)
    };
    decision.movements.iter().filter(of).map(|declared| declared.minor).sum()
}

/// Returns a position without the day of its decision.
fn timeless(position: &Position) -> Position {
    Position { decided_on: NaiveDate::MIN, days_past_due: 0, ..position.clone() }
}

/// Returns the balance of an account: debits less credits.
fn balance(movements: &[Declared], account: Account) -> i64 {
    let side = |movement: &Movement| i64::from(movement.debit == account) - i64::from(movement.credit == account);
    movements.iter().map(|declared| side(&declared.movement) * declared.minor).sum()
}

fn net(movements: &[Declared]) -> BTreeMap<Movement, i64> {
    net_of(movements.iter().map(|declared| (&declared.movement, declared.minor)))
}

/// Returns the total of each movement, less its reversals.
fn net_of<'m>(movements: impl Iterator<Item = (&'m Movement, i64)>) -> BTreeMap<Movement, i64> {
    let mut net = BTreeMap::new();
    for (movement, minor) in movements {
        let (debit, credit) = (movement.debit.min(movement.credit), movement.debit.max(movement.credit));
        let sign = if debit == movement.debit { 1 } else { -1 };
        *net.entry(Movement { debit, credit, ..movement.clone() }).or_insert(0) += sign * minor;
    }
    net.retain(|_, minor| *minor != 0);
    net
}
