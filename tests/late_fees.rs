//! Late fees in the real program: a merchant's tiers and steps, reference rates that change, the legal limit, and the
//! output of `explain`.

use crate::support::Scheme;

const CUSTOMERS: &str = "customer_id,name,email,locale,time_zone,credit_score,real_name_verified,bank_card_bound
C1,Ann Lee,c1@example.com,en,Australia/Sydney,700,true,true
";
const AGREEMENTS: &str = "agreement_id,customer_id,merchant_id,status,changed_at,score_authorised
A1,C1,SHOP,open,2026-01-01,true
";

/// Four payments, one week apart. An order below 40.00 has one fee; others have 10.00, and 7.00 a week later. The fees
/// are at most a quarter of the order or 68.00, whichever is less.
const PAY_IN_FOUR: &str = r#"
[[version]]
effective_from = "2026-01-01"
currency = "AUD"
clock = "ordered"
bands = [ { score = 500, limit = "2000.00", term = 21 } ]
instalments = [ { share = "0.25", term = 0 }, { share = "0.25", term = 7 }, { share = "0.25", term = 14 }, { share = "0.25", term = 21 } ]

[version.extension]
times = 1
days = 14
when_overdue = true

[[version.late_fee.tiers]]
from = "0.00"
kind = "flat"
amount = "10.00"
cap_order_share = "0.25"
cap_scope = "order"

[[version.late_fee.tiers]]
from = "40.00"
kind = "steps"
steps = [ { after = 0, amount = "10.00" }, { after = 7, amount = "7.00" } ]
cap_amount = "68.00"
cap_order_share = "0.25"
cap_scope = "order"
"#;

fn shop(policy: &str, orders: &str) -> Scheme {
    let scheme = Scheme::shop(policy);
    scheme.write("inbox/customers-2026-03-01.csv", CUSTOMERS);
    scheme.write("inbox/agreements-2026-03-01.csv", AGREEMENTS);
    let header = "order_id,customer_id,amount,currency,ordered_at,item";
    scheme.write("inbox/orders-2026-03-01.csv", format!("{header}\n{orders}"));
    scheme
}

/// Returns the late fee of each open instalment of an order in a day's positions.
fn fees(scheme: &Scheme, order: &str, day: &str) -> String {
    let positions = scheme.read(&format!("run/reconciliation/{day}/SHOP_{day}_positions.csv"));
    let mut rows = positions.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = rows.next().unwrap();
    let column = |name: &str| header.iter().position(|column| *column == name).unwrap();
    let of_order = rows.filter(|row| row[column("order_id")] == order);
    of_order.map(|row| row[column("late_fee")].to_owned()).collect::<Vec<_>>().join(" ")
}

#[test]
fn tiers_steps_and_a_cap_over_all_instalments() {
    let scheme = shop(PAY_IN_FOUR, "SMALL,C1,39.00,AUD,2026-03-01,\nLARGE,C1,160.00,AUD,2026-03-01,\n");
    // The extension arrives in the fifth week.
    let extensions = "extension_id,order_id,days,requested_at,approved_by\nX1,LARGE,14,2026-03-29,ann\n";
    scheme.write("inbox/extensions-2026-03-29.csv", extensions);
    scheme.close("2026-03-30");
    for (day, small, large) in [
        ("2026-03-01", "9.75 0.00 0.00 0.00", "10.00 0.00 0.00 0.00"),
        ("2026-03-07", "9.75 0.00 0.00 0.00", "10.00 0.00 0.00 0.00"),
        // The second payment is missed, and the first one is still not paid.
        ("2026-03-08", "9.75 0.00 0.00 0.00", "17.00 10.00 0.00 0.00"),
        // 17 + 17 + 10 is 44.00, but a quarter of the order is 40.00.
        ("2026-03-15", "9.75 0.00 0.00 0.00", "17.00 17.00 6.00 0.00"),
        ("2026-03-28", "9.75 0.00 0.00 0.00", "17.00 17.00 6.00 0.00"),
        // With the extension, due on the 15th, the 22nd, the 29th and April 5th.
        ("2026-03-29", "9.75 0.00 0.00 0.00", "17.00 17.00 6.00 0.00"),
    ] {
        assert_eq!(fees(&scheme, "SMALL", day), small, "{day}");
        assert_eq!(fees(&scheme, "LARGE", day), large, "{day}");
    }
    assert!(scheme.run(&["verify"]).starts_with("OK: "));
    insta::assert_snapshot!("explain_tier_small", scheme.run(&["explain", "SMALL"]));
    insta::assert_snapshot!("explain_tier_large", scheme.run(&["explain", "LARGE"]));
}

#[test]
fn an_extension_gives_fees_back_in_the_journal() {
    let scheme = shop(PAY_IN_FOUR, "LARGE,C1,160.00,AUD,2026-03-01,\n");
    let extensions = "extension_id,order_id,days,requested_at,approved_by\nX1,LARGE,14,2026-03-16,ann\n";
    scheme.write("inbox/extensions-2026-03-16.csv", extensions);
    scheme.close("2026-03-16");
    assert_eq!(fees(&scheme, "LARGE", "2026-03-15"), "17.00 17.00 6.00 0.00");
    // Due on the 15th, 22nd, 29th and April 5th: the only charge is on the 15th.
    assert_eq!(fees(&scheme, "LARGE", "2026-03-16"), "10.00 0.00 0.00 0.00");
    let detail = scheme.read("run/reconciliation/2026-03-16/SHOP_2026-03-16_detail.csv");
    let given_back: Vec<&str> = detail.lines().filter(|line| line.contains("late_fee")).collect();
    let amounts = [
        "1,AUD,income:late-fee,assets:receivable:late-fee,7.00",
        "2,AUD,income:late-fee,assets:receivable:late-fee,17.00",
        "3,AUD,income:late-fee,assets:receivable:late-fee,6.00",
    ];
    assert_eq!(given_back.len(), 3, "{detail}");
    for amount in amounts {
        assert!(given_back.iter().any(|line| line.contains(amount)), "no {amount} in {detail}");
    }
    scheme.run(&["verify"]);
}

const DAILY: &str = r#"
[[version]]
effective_from = "2026-01-01"
currency = "CNY"
clock = "ordered"
bands = [ { score = 500, limit = "90000.00", term = 7 } ]

[version.late_fee]
kind = "daily"
rate = "0.001"
cap_annual_rate = { reference = "lpr_1y", times = "4" }
"#;

const RATES: &str = "\n[reference_rates.lpr_1y]\n\"2025-05-20\" = \"0.0300\"\n\"2026-03-12\" = \"0.0250\"\n";

fn told(scheme: &Scheme, more: &str) {
    let config = scheme.read("paylater.toml");
    let kept = config.split("\n[reference_rates").next().unwrap();
    scheme.write("paylater.toml", format!("{kept}{more}"));
}

#[test]
fn an_annual_cap_follows_the_reference_rate_and_past_entries_stay() {
    let scheme = shop(DAILY, "O1,C1,36500.00,CNY,2026-03-01,\n");
    told(&scheme, RATES);
    scheme.close("2026-03-13");
    // Twelve per cent a year of 36500.00 is 12.00 a day, ten per cent is 10.00. The rule itself charges 36.50.
    for (day, fee) in [("08", "0.00"), ("09", "12.00"), ("11", "36.00"), ("12", "46.00"), ("13", "56.00")] {
        assert_eq!(fees(&scheme, "O1", &format!("2026-03-{day}")), fee, "{day}");
    }
    insta::assert_snapshot!("explain_reference_rate", scheme.run(&["explain", "O1"]));
    assert!(scheme.run(&["check"]).contains("reference rate lpr_1y: latest 0.025, from 2026-03-12 on"));
    let refused = |entries: &str| {
        told(&scheme, &format!("\n[reference_rates.lpr_1y]\n{entries}"));
        let closed = scheme.run_failing(&["close", "--through", "2026-03-14"], 1);
        assert!(scheme.run_failing(&["verify"], 1).contains("reference_rates.lpr_1y"));
        closed
    };
    let changed = refused("\"2025-05-20\" = \"0.0300\"\n\"2026-03-12\" = \"0.0240\"\n");
    assert!(changed.contains("the entry of 2026-03-12 in reference_rates.lpr_1y was changed or left out"), "{changed}");
    let left_out = refused("\"2025-05-20\" = \"0.0300\"\n");
    assert!(left_out.contains("the entry of 2026-03-12 in reference_rates.lpr_1y was changed"), "{left_out}");
    let too_late = refused("\"2025-05-20\" = \"0.030\"\n\"2026-03-12\" = \"0.0250\"\n\"2026-03-13\" = \"0.0200\"\n");
    assert!(too_late.contains("the entry of 2026-03-13 in reference_rates.lpr_1y is new, but days up to 2026-03-13"));
    // A new rate from the open day on is allowed, also a higher one. So are earlier entries before the first.
    told(&scheme, &format!("{RATES}\"2024-10-21\" = \"0.0310\"\n\"2026-03-14\" = \"0.0350\"\n"));
    scheme.close("2026-03-15");
    assert_eq!(fees(&scheme, "O1", "2026-03-15"), "84.00");
    assert!(scheme.run(&["verify"]).starts_with("OK: "));
}

#[test]
fn a_rate_that_rises_wakes_an_order_whose_fee_its_cap_held_down() {
    // At first the cap is about a cent a year: the fee does not grow until the rate rises.
    let scheme = shop(DAILY, "O1,C1,36500.00,CNY,2026-03-01,\n");
    told(&scheme, "\n[reference_rates.lpr_1y]\n\"2025-05-20\" = \"0.0000001\"\n");
    scheme.close("2026-03-10");
    assert_eq!(fees(&scheme, "O1", "2026-03-10"), "0.00");
    told(&scheme, "\n[reference_rates.lpr_1y]\n\"2025-05-20\" = \"0.0000001\"\n\"2026-03-11\" = \"0.0300\"\n");
    scheme.close("2026-03-12");
    assert_eq!(fees(&scheme, "O1", "2026-03-12"), "24.00");
    scheme.run(&["verify"]);
}

#[test]
fn a_table_may_lie_in_a_file_of_its_own() {
    let scheme = shop(DAILY, "O1,C1,36500.00,CNY,2026-03-01,\n");
    // In TOML, a top-level key must come before all sections.
    let config = scheme.read("paylater.toml");
    scheme.write("paylater.toml", format!("reference_rates = {{ lpr_1y = \"rates/lpr.toml\" }}\n{config}"));
    std::fs::create_dir(scheme.path("rates")).unwrap();
    scheme.write("rates/lpr.toml", "\"2025-05-20\" = \"0.0300\"\n");
    scheme.close("2026-03-10");
    assert_eq!(fees(&scheme, "O1", "2026-03-10"), "24.00");
}

#[test]
fn late_fees_that_make_no_sense_or_that_the_law_forbids_are_refused() {
    let check = |policy: &str, more: &str| {
        let scheme = Scheme::shop(policy);
        told(&scheme, more);
        scheme.run_failing(&["check"], 2).replace(&scheme.path("").display().to_string(), "")
    };
    let head = &DAILY[..DAILY.find("[version.late_fee]").unwrap()];
    let mut shown = String::new();
    let mut tell = |what: &str, fee: &str, more: &str| {
        shown.push_str(&format!("{what}\n{}\n", check(&format!("{head}{fee}"), more)));
    };
    let lpr = "\n[reference_rates.lpr_1y]\n\"2025-05-20\" = \"0.0300\"\n\"2026-06-20\" = \"0.0290\"\n";
    let rule = |rest: &str| format!("[version.late_fee]\n{rest}\n");
    let tiers =
        |tiers: &[&str]| tiers.iter().map(|tier| format!("[[version.late_fee.tiers]]\n{tier}\n")).collect::<String>();
    tell("no kind", &rule("grace = 3"), "");
    tell("steps without steps", &rule("kind = \"steps\""), "");
    tell("an empty list", &rule("kind = \"steps\"\nsteps = []"), "");
    tell(
        "steps out of order",
        &rule("kind = \"steps\"\nsteps = [{ after = 7, amount = \"1\" }, { after = 7, amount = \"2\" }]"),
        "",
    );
    tell("a step with both", &rule("kind = \"steps\"\nsteps = [{ after = 7, amount = \"1\", rate = \"0.1\" }]"), "");
    tell("steps with grace", &rule("kind = \"steps\"\ngrace = 3\nsteps = [{ after = 7, amount = \"1\" }]"), "");
    tell("cap_steps without steps", &rule("kind = \"flat\"\namount = \"1\"\ncap_steps = 2"), "");
    let seven = "kind = \"steps\"\nsteps = [{ after = 7, amount = \"1\" }]";
    tell("fewer than no steps", &rule(&format!("{seven}\ncap_steps = -1")), "");
    tell("cap_scope of nothing", &rule("kind = \"flat\"\namount = \"1\"\ncap_scope = \"order\""), "");
    tell("no such scope", &rule("kind = \"flat\"\namount = \"1\"\ncap_amount = \"1\"\ncap_scope = \"shop\""), "");
    tell("from without tiers", &rule("kind = \"flat\"\namount = \"1\"\nfrom = \"0\""), "");
    tell("no tier", &rule("tiers = []"), "");
    tell("tiers and a rule", &rule("kind = \"flat\"\ntiers = [{ from = \"0\", kind = \"none\" }]"), "");
    tell("a tier without from", &tiers(&["kind = \"none\""]), "");
    tell("not from 0", &tiers(&["from = \"1.00\"\nkind = \"none\""]), "");
    tell(
        "tiers out of order",
        &tiers(&["from = \"0\"\nkind = \"none\"", "from = \"40\"\nkind = \"none\"", "from = \"40\"\nkind = \"none\""]),
        "",
    );
    tell("tiers within tiers", &tiers(&["from = \"0\"\ntiers = [{ from = \"0\", kind = \"none\" }]"]), "");
    tell("a mistake in a tier", &tiers(&["from = \"0\"\nkind = \"none\"", "from = \"40\"\nkind = \"flat\""]), "");
    let cap = |cap: &str| rule(&format!("kind = \"daily\"\nrate = \"0.001\"\n{cap}"));
    tell("no such reference", &cap("cap_annual_rate = { reference = \"lpr\", times = 4 }"), lpr);
    tell("a rate in other words", &cap("cap_annual_rate = { reference = \"lpr_1y\", time = 4 }"), lpr);
    tell("a rate as a list", &cap("cap_annual_rate = [1]"), lpr);
    tell("too many times", &cap("cap_annual_rate = { reference = \"lpr_1y\", times = \"400\" }"), lpr);
    tell("of no day", &cap("cap_annual_rate = { reference = \"lpr_1y\", times = 4, of = \"month\" }"), lpr);
    tell(
        "known too late",
        &cap("cap_annual_rate = { reference = \"lpr_1y\", times = 4 }"),
        &lpr.replace("2025-05", "2026-05"),
    );
    tell("an empty table", &cap(""), "\n[reference_rates.lpr_1y]\n");
    tell("a rate above 1", &cap(""), "\n[reference_rates.lpr_1y]\n\"2025-05-20\" = \"3.00\"\n");
    tell("not a date", &cap(""), "\n[reference_rates.lpr_1y]\n\"2025-05\" = \"0.03\"\n");
    let fixed = &format!("{lpr}[legal.CNY]\nmax_annual_rate = \"0.24\"\n");
    let four_times = &format!("{lpr}[legal.CNY]\nmax_annual_rate = {{ reference = \"lpr_1y\", times = 4 }}\n");
    tell("growing without end", &cap(""), fixed);
    tell("above the law", &cap("cap_annual_rate = \"0.36\""), fixed);
    tell("above the law from a day on", &cap("cap_annual_rate = \"0.12\""), four_times);
    tell("more times than the law", &cap("cap_annual_rate = { reference = \"lpr_1y\", times = 5 }"), four_times);
    tell(
        "of the law's rate, more than the law",
        &cap("cap_annual_rate = { reference = \"lpr_1y\", times = 9 }"),
        fixed,
    );
    tell(
        "in a tier",
        &tiers(&["from = \"0\"\nkind = \"none\"", "from = \"40\"\nkind = \"daily\"\nrate = \"0.001\""]),
        fixed,
    );
    tell(
        "no such currency",
        &cap(""),
        "\n[reference_rates.lpr_1y]\n\"2025-05-20\" = \"0.03\"\n[legal.RMB]\nmax_annual_rate = \"0.24\"\n",
    );
    insta::assert_snapshot!("check_late_fees", shown);

    let fine = |fee: &str, more: &str| {
        let scheme = Scheme::shop(&format!("{head}{fee}"));
        told(&scheme, more);
        scheme.run(&["check"]);
    };
    fine(&cap("cap_annual_rate = \"0.24\""), fixed);
    fine(&cap("cap_annual_rate = \"0.116\""), four_times);
    fine(&cap("cap_annual_rate = { reference = \"lpr_1y\", times = 4 }"), four_times);
    fine(&cap("cap_annual_rate = { reference = \"lpr_1y\", times = \"2.5\", of = \"order_day\" }"), four_times);
    // A fee that does not grow is not interest, and the limit does not apply to another currency.
    fine(&rule("kind = \"flat\"\namount = \"5\""), fixed);
    fine(&cap(""), &fixed.replace("CNY", "EUR"));
    // Twelve per cent was lawful until a new version with a lower rate.
    let newer = format!("{}{}", head.replace("2026-01-01", "2026-06-20"), cap("cap_annual_rate = \"0.116\""));
    fine(&format!("{}{newer}", cap("cap_annual_rate = \"0.12\"")), four_times);
}
