//! A small language for tests of the rules: terms and a story in words, and the expected results in tables.
//!
//! Unless the terms or the story say otherwise, the order is of 100.00, is placed on March 1st 2026 at noon, and is due
//! 14 days after delivery. A day without a month (`16`) is in that March; other days have a month (`04-13`), and in
//! other years a year (`2025-10-09`). A due day `8/1` is day 8 of the next month. A fact happens at noon unless a time
//! follows the day, and is booked on its day unless the story says `known 20`.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use chrono_tz::Asia::Shanghai;
use paylater::config::{Calendars, Problems};
use paylater::domain::business_days::{Count, Roll};
use paylater::domain::calendar::{day_of, instant_of, plus};
use paylater::domain::decide::credit_record::CreditRecord;
use paylater::domain::decide::due::ClockDay;
use paylater::domain::decide::end_of_day::{Decision, decide};
use paylater::domain::decide::late_fee::caps::CapKind;
use paylater::domain::decide::order_fees;
use paylater::domain::facts::case::Case;
use paylater::domain::facts::fact::{Event, Fact, HoldReason, What};
use paylater::domain::facts::order::Order;
use paylater::domain::facts::source::Source;
use paylater::domain::intake::admission::admit;
use paylater::domain::journal::{Account, Movement};
use paylater::domain::money::Currency;
use paylater::domain::terms::due_dates::{AutoConfirm, Clock, DaysOff, DueDay, Share, Term};
use paylater::domain::terms::hold::{HoldEffect, HoldRule};
use paylater::domain::terms::late_fee::{CapScope, Charge, FeeKind, LateFee, LateFees, Step, Tier};
use paylater::domain::terms::policy::{Allocation, Band, CreditRule, ExtensionLimits, Terms};
use paylater::domain::terms::reference_rate::{AnnualRate, RateOf, RateTable, ReferenceRate};
use rust_decimal::Decimal;

/// Terms with four instalments, two weeks apart.
pub const IN_FOUR: &str = "clock ordered | instalments 0.25@0 0.25@14 0.25@28 0.25@42";

/// Checks that every row of the table is true at the end of its day. The first line names the columns: `day`, then `no`
/// if there are several instalments, then any columns of [`cell`].
#[track_caller]
pub fn check(terms: &str, story: &str, table: &str) {
    let mut lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).filter(|row| !row.is_empty());
    let columns = lines.next().expect("a table begins with its columns");
    let expected: Vec<Vec<&str>> = lines.collect();
    let last = expected.iter().map(|row| day(row[0])).max().expect("a table has rows");
    let closed = closed_days(terms, story, last);
    let found = expected.iter().map(|row| {
        let number = if columns[1] == "no" { row[1].parse().unwrap() } else { 1 };
        columns.iter().map(|column| cell(column, &closed[&day(row[0])], row[0], number)).collect::<Vec<_>>()
    });
    let found: Vec<Vec<String>> = found.collect();
    let expected: Vec<Vec<String>> =
        expected.into_iter().map(|row| row.into_iter().map(str::to_owned).collect()).collect();
    let laid_out = |rows: &[Vec<String>]| rows.iter().map(|row| row.join("  ")).collect::<Vec<_>>().join("\n");
    assert!(
        found == expected,
        "{terms}\n{story}\n{}\nexpected\n{}\nfound\n{}",
        columns.join("  "),
        laid_out(&expected),
        laid_out(&found)
    );
}

/// Returns the due date as known at the end of April, or two months after the order if that is later; `-` if there is
/// none.
pub fn due_on(terms: &str, story: &str) -> String {
    let end = day("04-30").max(plus(read(terms, story).1.order.ordered_on, 60));
    short(closed_days(terms, story, end)[&end].positions[0].due_on)
}

/// Returns the credit record up to the end of April: each step with its day, and with its instalment unless it is the
/// first.
pub fn record(terms: &str, story: &str) -> String {
    let closed = closed_days(terms, story, day("04-30"));
    let steps = closed.iter().flat_map(|(on, decision)| decision.credit_steps.iter().map(move |step| (on, step)));
    let words = steps.map(|(on, step)| match step.instalment {
        1 => format!("{} {}", short(Some(*on)), step.status.name()),
        number => format!("{} no {number} {}", short(Some(*on)), step.status.name()),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// Returns all movements of the order in the books at the end of a day: kind, instalment, accounts, amount, cause.
pub fn books(terms: &str, story: &str, on: &str) -> Vec<String> {
    let closed = closed_days(terms, story, day(on));
    let mut declared = closed[&day(on)].movements.clone();
    declared.sort_by(|a, b| a.movement.cmp(&b.movement));
    let row = |(movement, minor): (&Movement, i64)| {
        let (debit, credit) = (movement.debit.name(), movement.credit.name());
        let text = format!("{} {} {debit} {credit} {}", movement.kind.name(), movement.instalment, money(minor));
        format!("{text} {}", movement.cause).trim_end().to_owned()
    };
    declared.iter().map(|declared| row((&declared.movement, declared.minor))).collect()
}

/// Returns the workings of each instalment's late fee at the end of a day: the amount charged and, if a cap reduced it,
/// the amount before and the cap.
pub fn fee_workings(terms: &str, story: &str, on: &str) -> Vec<String> {
    let (terms, case) = read(terms, story);
    let workings = order_fees::fee_workings(&case.as_known_on(day(on)), &terms, day(on)).unwrap();
    let words = workings.into_iter().map(|fee| {
        let cut = fee.cut.map(|cap| match cap.by {
            CapKind::Amount => "amount",
            CapKind::OrderShare => "share",
            CapKind::AnnualRate => "year",
        });
        let total = money(fee.total);
        cut.map_or(total.clone(), |cut| format!("{total} of {}, cut by {cut}", money(fee.uncapped)))
    });
    words.collect()
}

/// Returns whether one more fact after the story is accepted: `ok`, or the code of the refusal.
pub fn asked(terms: &str, story: &str, fact: &str) -> &'static str {
    let (terms, case) = read(terms, story);
    let fact = read_fact(fact, &terms, case.facts.len() + 1);
    admit(&case, &terms, &fact.what, fact.effective_on).map_or_else(|refusal| refusal.code().name(), |()| "ok")
}

/// Decides every day from the day of the order on, as the closes do, each with the facts known by then.
fn closed_days(terms: &str, story: &str, through: NaiveDate) -> BTreeMap<NaiveDate, Decision> {
    let (terms, case) = read(terms, story);
    let mut standings: Vec<CreditRecord> = Vec::new();
    let mut closed = BTreeMap::new();
    let mut today = case.order.ordered_on;
    while today <= through {
        let decision = decide(&case.as_known_on(today), &terms, &standings, today).unwrap();
        standings = decision.positions.iter().map(|position| position.credit).collect();
        closed.insert(today, decision);
        today = plus(today, 1);
    }
    closed
}

fn cell(column: &str, decision: &Decision, asked_on: &str, number: i64) -> String {
    let position = decision.positions.iter().find(|position| position.instalment == number).unwrap();
    match column {
        "day" => asked_on.to_owned(),
        "no" => number.to_string(),
        "clock" => match decision.clock {
            ClockDay::Started { on, automatic: true } => format!("{}-by-itself", short(Some(on))),
            clock => short(clock.on()),
        },
        "due" => short(position.due_on),
        "principal" => money(position.principal),
        "paid" => money(position.paid),
        "refunded" => money(position.refunded),
        "left" => money(position.outstanding()),
        "written_off" => money(position.written_off),
        "recovered" => money(position.recovered),
        "fee" => money(position.late_fee),
        "fee_paid" => money(position.late_fee_paid),
        "past_due" => position.days_past_due.to_string(),
        "record" => position.credit.status.name().to_owned(),
        "hold" => position.hold.map_or("-", HoldReason::name).to_owned(),
        "stops" => match position.hold_effects.names() {
            none if none.is_empty() => "-".to_owned(),
            names => names.replace(' ', ","),
        },
        "next" => short(decision.next_action_on),
        "credit" => money(-balance(decision, Account::CustomerCredit)),
        "cash" => money(balance(decision, Account::CashClearing)),
        "bad_debt" => money(balance(decision, Account::ExpensesBadDebt)),
        "income" => money(-balance(decision, Account::IncomeLateFee)),
        "recovery" => money(-balance(decision, Account::IncomeRecovery)),
        "suspense" => money(-balance(decision, Account::Suspense)),
        "merchant" => money(-balance(decision, Account::MerchantPayable)),
        "service_fee" => money(-balance(decision, Account::IncomeServiceFee)),
        other => panic!("no column {other}"),
    }
}

/// Returns the balance of an account: debits less credits.
fn balance(decision: &Decision, account: Account) -> i64 {
    let side = |movement: &Movement| i64::from(movement.debit == account) - i64::from(movement.credit == account);
    decision.movements.iter().map(|declared| side(&declared.movement) * declared.minor).sum()
}

fn read(terms: &str, story: &str) -> (Terms, Case) {
    let (terms, amount_minor, term) = read_terms(terms);
    let mut ordered = "ordered 01";
    let mut facts = Vec::new();
    for text in sentences(story) {
        if text.starts_with("ordered") {
            ordered = text;
        } else {
            facts.push(read_fact(text, &terms, facts.len() + 1));
        }
    }
    let mut words = ordered.split_whitespace().skip(1).peekable();
    let (ordered_at, ordered_on) = when(&mut words, &terms);
    let order = Order {
        order_id: "order".into(),
        customer_id: "customer".into(),
        amount_minor,
        currency: terms.currency,
        ordered_at,
        ordered_on,
        term,
        policy_version: terms.effective_from,
        booked_on: ordered_on,
        source: Source { file_no: 1, line: 2 },
    };
    (terms, Case::new(order, facts))
}

/// Reads the terms, the order's amount, and the days to pay.
fn read_terms(text: &str) -> (Terms, i64, i64) {
    let (mut amount_minor, mut term) = (10_000, 14);
    let mut terms = Terms {
        effective_from: day("01"),
        currency: Currency::parse("CNY").unwrap(),
        clock: Clock::Delivered,
        cut_off: None,
        before_order: 1,
        bands: vec![Band { score: 600, limit_minor: 1_000_000, term }],
        not_fulfilled_after: None,
        cancel_unfulfilled_after: None,
        due_day: None,
        days_off: None,
        freeze_when_overdue: None,
        instalments: Vec::new(),
        service_fee: Decimal::ZERO,
        payable_after: 0,
        refund_window: None,
        allocation: Allocation::FeeFirst,
        late_fee: LateFees::same_for_all(LateFee::none()),
        extension: None,
        holds: Vec::new(),
        reminders: paylater::domain::terms::reminders::Reminders::default(),
        credit: None,
        debit: None,
        pay_out: None,
        write_off_after: None,
    };
    for sentence in sentences(text) {
        let words: Vec<&str> = sentence.split_whitespace().collect();
        match words.as_slice() {
            ["order", amount] => amount_minor = minor(amount),
            ["term", days] => term = number(days),
            ["clock", "ordered"] => terms.clock = Clock::Ordered,
            ["clock", "shipped"] => terms.clock = Clock::Shipped,
            ["clock", "delivered"] => terms.clock = Clock::Delivered,
            ["clock", "confirmed"] => terms.clock = Clock::Confirmed { auto: None },
            ["clock", "confirmed", "by", "itself", days, "after", event] => {
                let auto = AutoConfirm { after: Some((Event::parse(event).unwrap(), number(days))), after_order: None };
                terms.clock = Clock::Confirmed { auto: Some(auto) };
            }
            ["clock", "confirmed", "by", "itself", days, "after", event, "at", "the", "latest", latest] => {
                let after = Some((Event::parse(event).unwrap(), number(days)));
                terms.clock = Clock::Confirmed { auto: Some(AutoConfirm { after, after_order: Some(number(latest)) }) };
            }
            ["clock", "confirmed", "at", "the", "latest", latest] => {
                let auto = AutoConfirm { after: None, after_order: Some(number(latest)) };
                terms.clock = Clock::Confirmed { auto: Some(auto) };
            }
            ["not", "fulfilled", "after", days] => terms.not_fulfilled_after = Some(number(days)),
            ["cancel", "unfulfilled", "after", days] => terms.cancel_unfulfilled_after = Some(number(days)),
            ["cut-off", time] => terms.cut_off = Some(clock_time(time)),
            ["instalments", parts @ ..] => {
                let share = |part: &&str| {
                    let (share, term) = part.split_once('@').unwrap();
                    let term = if term.contains('/') { Term::Until(due_day(term)) } else { Term::Days(number(term)) };
                    Share { share: decimal(share), term }
                };
                terms.instalments = parts.iter().map(share).collect();
            }
            ["due", "day", due] => terms.due_day = Some(due_day(due)),
            ["calendar", name] => {
                let calendar = Calendars::built_in(&mut Problems::default()).get(name).unwrap();
                terms.days_off = Some(DaysOff { calendar, count: Count::Calendar, roll: Roll::None });
            }
            ["count", "business"] => terms.days_off.as_mut().unwrap().count = Count::Business,
            ["roll", roll] => terms.days_off.as_mut().unwrap().roll = self::roll(roll),
            ["service", "fee", rate] => terms.service_fee = decimal(rate),
            ["refunds", "within", days] => terms.refund_window = Some(number(days)),
            ["principal", "first"] => terms.allocation = Allocation::PrincipalFirst,
            // The words after this one are for orders from this amount on.
            ["tier", from] => {
                terms.late_fee.higher.push(Tier { from_minor: minor(from), fee: LateFee::none() });
            }
            ["fee" | "grace" | "cap", ..] => read_fee(&words, highest_tier(&mut terms.late_fee)),
            ["extensions", times, "of", days, limits @ ..] => {
                let within = limits.iter().position(|word| *word == "within").map(|at| number(limits[at + 1]));
                terms.extension = Some(ExtensionLimits {
                    times: number(times),
                    days: number(days),
                    ask_within: within,
                    when_overdue: limits.contains(&"overdue"),
                });
            }
            ["hold", reason, days, "stops", effects @ ..] => {
                let reason = HoldReason::parse(reason).unwrap();
                let effects = effects.iter().map(|word| effect(word)).collect();
                terms.holds.push(HoldRule { reason, days: number(days), effects });
            }
            ["notice", "after", notice, "flag", "after", flag] => {
                let (notice_after, flag_after) = (number(notice), number(flag));
                terms.credit = Some(CreditRule { notice_after, flag_after, expires_after: None });
            }
            ["expires", "after", days] => {
                terms.credit.as_mut().expect("what expires is noticed and flagged before").expires_after =
                    Some(number(days));
            }
            ["write", "off", "after", days] => terms.write_off_after = Some(number(days)),
            _ => panic!("no such terms: {sentence}"),
        }
    }
    (terms, amount_minor, term)
}

fn highest_tier(fees: &mut LateFees) -> &mut LateFee {
    fees.higher.last_mut().map_or(&mut fees.lowest, |tier| &mut tier.fee)
}

fn read_fee(words: &[&str], fee: &mut LateFee) {
    match words {
        ["fee", "none"] => fee.kind = FeeKind::None,
        ["fee", "flat", amount] => fee.kind = FeeKind::Flat(minor(amount)),
        ["fee", "percent", rate] => fee.kind = FeeKind::Percent(decimal(rate)),
        ["fee", "daily", rate, from_due @ ..] => {
            fee.kind = FeeKind::Daily { rate: decimal(rate), from_due: from_due == ["from", "due"] };
        }
        // `0:10.00 7:2%`
        ["fee", "steps", steps @ ..] => {
            let step = |step: &&str| {
                let (after, charge) = step.split_once(':').unwrap();
                let rate = charge.strip_suffix('%').map(|percent| decimal(percent) / Decimal::ONE_HUNDRED);
                let charge = rate.map_or_else(|| Charge::Amount(minor(charge)), Charge::Rate);
                Step { after: number(after), charge }
            };
            fee.kind = FeeKind::Steps(steps.iter().map(step).collect());
        }
        ["grace", days] => fee.grace = number(days),
        ["cap", "share", rate] => fee.caps.order_share = Some(decimal(rate)),
        ["cap", "steps", count] => fee.caps.steps = Some(count.parse().unwrap()),
        ["cap", "of", "order"] => fee.caps.scope = CapScope::Order,
        ["cap", "year", rate] => fee.caps.annual_rate = Some(AnnualRate::Fixed(decimal(rate))),
        // `4 times each-day 01:0.0310 20:0.0300`, or with `order-day`: the rate of each day, or of the day of the order
        ["cap", "year", times, "times", of @ ("each-day" | "order-day"), entries @ ..] => {
            let entry = |entry: &&str| {
                let (from, rate) = entry.split_once(':').unwrap();
                (day(from), decimal(rate))
            };
            let of = if *of == "each-day" { RateOf::EachDay } else { RateOf::OrderDay };
            let table = RateTable::new(entries.iter().map(entry)).unwrap();
            let reference = ReferenceRate { name: "lpr".into(), times: decimal(times), of, table };
            fee.caps.annual_rate = Some(AnnualRate::Reference(reference));
        }
        ["cap", amount] => fee.caps.amount = Some(minor(amount)),
        _ => panic!("no such terms: {}", words.join(" ")),
    }
}

fn read_fact(text: &str, terms: &Terms, place: usize) -> Fact {
    let mut words = text.split_whitespace().peekable();
    let verb = words.next().unwrap();
    let (effective_at, effective_on) = when(&mut words, terms);
    let mut take = || words.next().unwrap_or_else(|| panic!("something is missing in: {text}"));
    let what = match verb {
        "pay" => What::Payment { minor: minor(take()), suspended: false },
        "refund" => What::Refund { minor: minor(take()), suspended: false },
        // A chargeback names the position of its payment in the story: the second fact is `pay-2`.
        "chargeback" => {
            let minor = minor(take());
            What::Chargeback { minor, payment_id: take().to_owned(), suspended: false }
        }
        "waive" => What::Waiver { minor: minor(take()) },
        "pay-out" => What::PayOut { minor: minor(take()) },
        // Names the position of a refund in the story.
        "gave-back" => What::GivenBack,
        "extend" => What::Extension { days: number(take()) },
        "notice" => What::Notice { instalment: number(take()) },
        "hold" => match take() {
            "to" => {
                let ends_on = Some(day(take()));
                What::Hold { reason: HoldReason::parse(take()).unwrap(), ends_on }
            }
            reason => What::Hold { reason: HoldReason::parse(reason).unwrap(), ends_on: None },
        },
        event => What::Fulfilment(Event::parse(event).unwrap_or_else(|| panic!("no such fact: {text}"))),
    };
    let source = Source { file_no: 2, line: i64::try_from(place).unwrap() };
    let id = if what == What::GivenBack { words.next().unwrap().to_owned() } else { format!("{verb}-{place}") };
    let mut fact = Fact { id, effective_at, effective_on, booked_on: effective_on, source, what };
    while let Some(word) = words.next() {
        match (word, &mut fact.what) {
            ("known", _) => fact.booked_on = day(words.next().unwrap()),
            (
                "suspended",
                What::Payment { suspended, .. } | What::Refund { suspended, .. } | What::Chargeback { suspended, .. },
            ) => *suspended = true,
            _ => panic!("no such fact: {text}"),
        }
    }
    fact
}

/// Reads a day with an optional time. Returns the instant and the day that it counts for.
fn when<'w>(
    words: &mut std::iter::Peekable<impl Iterator<Item = &'w str>>,
    terms: &Terms,
) -> (DateTime<Utc>, NaiveDate) {
    let on = day(words.next().expect("a fact has a day"));
    let time = words.next_if(|word| word.contains(':')).unwrap_or("12:00");
    let at = instant_of(on.and_time(clock_time(time)), Shanghai);
    (at, day_of(at, Shanghai, terms.cut_off))
}

fn sentences(text: &str) -> impl Iterator<Item = &str> {
    text.split('|').map(str::trim).filter(|sentence| !sentence.is_empty())
}

fn day(text: &str) -> NaiveDate {
    let text = match text.len() {
        2 => format!("2026-03-{text}"),
        5 => format!("2026-{text}"),
        _ => text.to_owned(),
    };
    text.parse().unwrap_or_else(|_| panic!("no day: {text}"))
}

fn short(day: Option<NaiveDate>) -> String {
    let text = day.map_or("-".to_owned(), |day| day.to_string());
    let text = text.strip_prefix("2026-").unwrap_or(&text);
    text.strip_prefix("03-").unwrap_or(text).to_owned()
}

fn clock_time(text: &str) -> NaiveTime {
    let text = if text.len() == 5 { format!("{text}:00") } else { text.to_owned() };
    text.parse().unwrap()
}

fn minor(text: &str) -> i64 {
    Currency::parse("CNY").unwrap().parse_minor(text).unwrap()
}

fn money(minor: i64) -> String {
    Currency::parse("CNY").unwrap().plain(minor)
}

fn number(text: &str) -> i64 {
    text.parse().unwrap_or_else(|_| panic!("no number: {text}"))
}

fn decimal(text: &str) -> Decimal {
    Decimal::from_str_exact(text).unwrap()
}

/// Reads a due day: `8/1` is day 8 of the next month.
fn due_day(text: &str) -> DueDay {
    let (day, month) = text.split_once('/').unwrap_or_else(|| panic!("no due day: {text}"));
    DueDay { day: day.parse().unwrap(), month: month.parse().unwrap() }
}

fn roll(word: &str) -> Roll {
    match word {
        "none" => Roll::None,
        "following" => Roll::Following,
        "preceding" => Roll::Preceding,
        "modified" => Roll::ModifiedFollowing,
        other => panic!("no roll {other}"),
    }
}

fn effect(word: &str) -> HoldEffect {
    match word {
        "clock" => HoldEffect::Clock,
        "fees" => HoldEffect::Fees,
        "contact" => HoldEffect::Contact,
        "credit" => HoldEffect::Credit,
        "debit" => HoldEffect::Debit,
        other => panic!("no effect {other}"),
    }
}
