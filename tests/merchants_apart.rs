//! One merchant's trouble never stops another's day: not while files are taken in, not while missing files are looked for, and
//! not while it is decided what is held back. Its own day is not sealed as if it were whole. Runs the real program.

use crate::support::Scheme;
use crate::support::two_merchants::{
    accept_rows, assert_caught_up, assert_undisturbed, on_both_engines, refuse_rows, two_merchants,
};

/// As `two_merchants`, with a payments file of SHOP expected every day. Those of the 1st, the 4th and the 5th are missing.
fn expecting() -> Scheme {
    let scheme = two_merchants();
    let line = "kind = \"payments\"\n";
    let config = scheme.read("paylater.toml").replace(line, &format!("{line}expected_by = \"00:00\"\n"));
    scheme.write("paylater.toml", config);
    scheme
}

/// As `two_merchants`, with terms of its own for SHOP.
fn own_terms() -> Scheme {
    let scheme = two_merchants();
    let config = scheme.read("paylater.toml");
    scheme.write("policy-of-shop.toml", scheme.read("policy.toml"));
    scheme.write("paylater.toml", config.replacen("policy = \"policy.toml\"", "policy = \"policy-of-shop.toml\"", 1));
    scheme
}

/// Checks that the day is sealed without SHOP, that everything says so, and that OTHER's day is undisturbed.
fn assert_sealed_without_shop(scheme: &Scheme, whole: &Scheme, day: &str, job: &str, reason: &str) {
    let told = scheme.run_failing(&["close", "--through", day], 1);
    let why = if job == "ingest_files" { "files could not be taken in" } else { "books could not be worked out" };
    assert!(told.contains(&format!("{day} was sealed without SHOP, whose {why}")), "{told}");
    assert!(told.contains(reason), "{reason}: {told}");
    let manifest = scheme.read(&format!("run/reconciliation/{day}/manifest.json"));
    assert!(manifest.contains("\"merchant_id\": \"SHOP\"") && !manifest.contains("SHOP_2026"), "{manifest}");
    let exceptions = scheme.read(&format!("run/reconciliation/{day}/scheme_{day}_exceptions.csv"));
    assert!(exceptions.contains("BOOKS_BROKEN") && exceptions.contains(reason), "{exceptions}");
    let status = scheme.run_failing(&["status"], 1);
    assert!(status.contains("BOOKS_BROKEN"), "{status}");
    assert!(outcome_of_failed(scheme, job).contains("SHOP"), "{job}: {status}");
    assert_undisturbed(scheme, whole, "OTHER", day);
}

/// The outcome of a job's last run, which failed.
fn outcome_of_failed(scheme: &Scheme, job: &str) -> String {
    let status = scheme.command(&["status", "--json"]).output().unwrap().stdout;
    let status: serde_json::Value = serde_json::from_slice(&status).unwrap();
    let of_job = status["jobs"].as_array().unwrap().iter().find(|of| of["job"] == job).unwrap();
    assert_eq!(of_job["last"]["status"], "failed", "{job}");
    of_job["last"]["outcome"].as_str().unwrap().to_owned()
}

/// The files of SHOP that wait in the inbox.
fn waiting(scheme: &Scheme) -> Vec<String> {
    let entries = std::fs::read_dir(scheme.path("inbox")).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

const FROM_THE_3RD: [&str; 3] = ["2026-03-03", "2026-03-04", "2026-03-05"];

#[tokio::test]
async fn a_row_that_the_store_refuses_fails_the_intake_of_its_merchant_only() {
    for (scheme, whole) in on_both_engines(two_merchants, "2026-03-02").await {
        refuse_rows(&scheme, "fact", "NEW.order_id = 'O2'").await;
        let reason = "reading payments file";
        assert_sealed_without_shop(&scheme, &whole, "2026-03-03", "ingest_files", reason);
        // No later file of the merchant is taken before the one that failed.
        assert_eq!(waiting(&scheme), ["bills-2026-03-03.csv", "payments-2026-03-03.csv"]);
        let status = scheme.run_failing(&["status"], 1);
        assert!(status.contains("SHOP: since 2026-03-03: reading payments file"), "{status}");
        assert_sealed_without_shop(&scheme, &whole, "2026-03-04", "ingest_files", "since 2026-03-03");
        accept_rows(&scheme).await;
        scheme.close("2026-03-05");
        assert_eq!(waiting(&scheme), [""; 0]);
        assert_caught_up(&scheme, &whole, &FROM_THE_3RD);
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_fails_the_intake_of_its_merchant_only() {
    for (scheme, whole) in on_both_engines(two_merchants, "2026-03-02").await {
        std::fs::rename(scheme.path("run/outbox/payments"), scheme.path("payments-before")).unwrap();
        scheme.write("run/outbox/payments", "a file in the place of a folder");
        assert_sealed_without_shop(&scheme, &whole, "2026-03-03", "ingest_files", "making the folder");
        std::fs::remove_file(scheme.path("run/outbox/payments")).unwrap();
        std::fs::rename(scheme.path("payments-before"), scheme.path("run/outbox/payments")).unwrap();
        scheme.run(&["job", "ingest_files"]);
        scheme.close("2026-03-05");
        assert_caught_up(&scheme, &whole, &FROM_THE_3RD[..2]);
    }
}

#[tokio::test]
async fn changed_terms_fail_the_intake_of_their_merchant_only() {
    for (scheme, whole) in on_both_engines(own_terms, "2026-03-02").await {
        let terms = scheme.read("policy-of-shop.toml");
        scheme.write("policy-of-shop.toml", terms.replace("2026-01-01", "2026-01-02"));
        let reason = "version 2026-01-01 of the policy of SHOP was changed";
        assert_sealed_without_shop(&scheme, &whole, "2026-03-03", "ingest_files", reason);
        scheme.write("policy-of-shop.toml", terms);
        scheme.close("2026-03-05");
        assert_caught_up(&scheme, &whole, &FROM_THE_3RD[..2]);
    }
}

/// The file that the feed waits for is in the inbox, but nothing of the merchant is sealed anyway.
#[test]
fn a_feed_that_keeps_the_day_open_does_not_for_a_merchant_that_is_left_out() {
    let stopping = || {
        let scheme = own_terms();
        let line = "kind = \"payments\"\n";
        let keys = format!("{line}expected_by = \"00:00\"\nwhen_missing = \"stop\"\n");
        scheme.write("paylater.toml", scheme.read("paylater.toml").replace(line, &keys));
        scheme.write("inbox/payments-2026-03-01.csv", "payment_id,order_id,amount,currency,paid_at\n");
        scheme
    };
    let (whole, scheme) = (stopping(), stopping());
    whole.close("2026-03-03");
    scheme.close("2026-03-02");
    let terms = scheme.read("policy-of-shop.toml");
    scheme.write("policy-of-shop.toml", terms.replace("2026-01-01", "2026-01-02"));
    let reason = "version 2026-01-01 of the policy of SHOP was changed";
    assert_sealed_without_shop(&scheme, &whole, "2026-03-03", "ingest_files", reason);
    // Once the terms are right again, the missing file of the 4th keeps the day open.
    scheme.write("policy-of-shop.toml", terms);
    let told = scheme.run_failing(&["close", "--through", "2026-03-04"], 1);
    assert!(told.contains("2026-03-04 can't be closed while these files are missing"), "{told}");
}

#[tokio::test]
async fn a_watch_that_fails_is_of_its_merchant_only_and_what_it_missed_is_reported_later() {
    for (scheme, whole) in on_both_engines(expecting, "2026-03-03").await {
        refuse_rows(&scheme, "exception", "NEW.code = 'FILE_MISSING'").await;
        let reason = "SHOP: deciding what is held back for missing files";
        assert_sealed_without_shop(&scheme, &whole, "2026-03-04", "watch_feeds", reason);
        accept_rows(&scheme).await;
        scheme.close("2026-03-05");
        assert_caught_up(&scheme, &whole, &["2026-03-04", "2026-03-05"]);
        let missing = scheme.exceptions("2026-03-05").into_iter().filter(|row| row.starts_with("FILE_MISSING"));
        let missing: Vec<String> = missing.collect();
        for day in ["2026-03-01", "2026-03-04", "2026-03-05"] {
            assert!(missing.iter().any(|row| row.contains(&format!("payments for {day}"))), "{day}: {missing:?}");
        }
    }
}

#[tokio::test]
async fn what_is_held_back_is_decided_merchant_by_merchant() {
    for (scheme, whole) in on_both_engines(expecting, "2026-03-03").await {
        refuse_rows(&scheme, "held_back", "NEW.feed = 'payments'").await;
        let reason = "SHOP: deciding what is held back for missing files";
        assert_sealed_without_shop(&scheme, &whole, "2026-03-04", "close_day", reason);
        accept_rows(&scheme).await;
        scheme.close("2026-03-05");
        assert_caught_up(&scheme, &whole, &["2026-03-04", "2026-03-05"]);
    }
}

/// A close that runs alone, hours after the files were not taken in, knows of them.
#[test]
fn a_close_remembers_whose_files_were_not_taken_in() {
    let scheme = own_terms();
    scheme.close("2026-03-02");
    let terms = scheme.read("policy-of-shop.toml");
    scheme.write("policy-of-shop.toml", terms.replace("2026-01-01", "2026-01-02"));
    let told = scheme.run_failing(&["job", "ingest_files"], 1);
    assert!(told.contains("SHOP: ingest_files for 2026-03-03: version 2026-01-01 of the policy of SHOP"), "{told}");
    scheme.write("policy-of-shop.toml", &terms);
    let would = scheme.run(&["job", "close_day", "--dry-run"]);
    assert!(would.contains("SHOP: ingest_files has failed since 2026-03-03: version 2026-01-01"), "{would}");
    let told = scheme.run_failing(&["job", "close_day"], 1);
    assert!(told.contains("2026-03-03 was sealed without SHOP"), "{told}");
    assert!(told.contains("SHOP: ingest_files has failed since 2026-03-03: version 2026-01-01"), "{told}");
    scheme.close("2026-03-04");
    scheme.run(&["status"]);
    scheme.run(&["verify"]);
}

#[test]
fn a_job_works_for_one_merchant() {
    let scheme = own_terms();
    scheme.close("2026-03-02");
    let would = scheme.run(&["job", "ingest_files", "--merchant", "OTHER", "--dry-run"]);
    assert!(would.contains("orders-2026-03-03.csv") && !would.contains("payments"), "{would}");
    scheme.run(&["job", "ingest_files", "--merchant", "OTHER"]);
    assert_eq!(waiting(&scheme), ["bills-2026-03-03.csv", "payments-2026-03-03.csv"]);
    let would = scheme.run(&["job", "assess_positions", "--merchant", "OTHER", "--dry-run"]);
    assert!(would.contains("OTHER: ") && !would.contains("SHOP: "), "{would}");
    // A failure is remembered, although the run is no run of the job.
    let terms = scheme.read("policy-of-shop.toml");
    scheme.write("policy-of-shop.toml", terms.replace("2026-01-01", "2026-01-02"));
    scheme.run_failing(&["job", "ingest_files", "--merchant", "SHOP"], 1);
    let status = scheme.run_failing(&["status"], 1);
    assert!(status.contains("SHOP: since 2026-03-03: version 2026-01-01 of the policy of SHOP"), "{status}");
    scheme.run(&["job", "ingest_files", "--merchant", "OTHER"]);
    scheme.run_failing(&["status"], 1);
    scheme.write("policy-of-shop.toml", terms);
    scheme.run(&["job", "ingest_files", "--merchant", "SHOP"]);
    scheme.run(&["status"]);
    let whole = own_terms();
    whole.close("2026-03-03");
    scheme.close("2026-03-03");
    for merchant in ["SHOP", "OTHER"] {
        assert_undisturbed(&scheme, &whole, merchant, "2026-03-03");
    }
    for (job, why) in [
        ("send_reminders", "send_reminders works for the whole scheme: a customer gets one mail a day"),
        ("close_day", "close_day works for the whole scheme: a day has one seal"),
        ("write_reconciliation", "write_reconciliation works for the whole scheme"),
    ] {
        let told = scheme.run_failing(&["job", job, "--merchant", "SHOP"], 2);
        assert!(told.contains(why), "{told}");
    }
    let told = scheme.run_failing(&["job", "ingest_files", "--merchant", "NOBODY"], 2);
    assert!(told.contains("there is no merchant \"NOBODY\"; the merchants are SHOP, OTHER"), "{told}");
}

/// Whoever may have paid gets no overdue mail, although the file is there: it could not be taken in.
#[tokio::test]
async fn nobody_is_reminded_whose_payment_could_not_be_taken_in() {
    let mails = |scheme: &Scheme| {
        let Ok(mails) = std::fs::read_dir(scheme.path("run/mail")) else { return 0 };
        mails.filter(|mail| mail.as_ref().unwrap().file_name().to_string_lossy().starts_with("20260309")).count()
    };
    let without_orders_of_other = || {
        let scheme = two_merchants();
        std::fs::remove_dir_all(scheme.path("other")).unwrap();
        std::fs::create_dir(scheme.path("other")).unwrap();
        scheme.write("policy.toml", scheme.read("policy.toml") + "[version.reminders]\nsteps = [1]\n");
        scheme
    };
    let unpaid = without_orders_of_other();
    unpaid.close("2026-03-09");
    assert_eq!(mails(&unpaid), 1);
    for scheme in [without_orders_of_other(), without_orders_of_other().on_postgres().await] {
        scheme.close("2026-03-07");
        let paid =
            "payment_id,order_id,amount,currency,paid_at\nP8,O2,6.00,CNY,2026-03-08\nP9,O3,10.00,CNY,2026-03-08\n";
        scheme.write("inbox/payments-2026-03-08.csv", paid);
        refuse_rows(&scheme, "fact", "NEW.kind = 'payment'").await;
        scheme.run_failing(&["close", "--through", "2026-03-09"], 1);
        assert_eq!(mails(&scheme), 0);
        accept_rows(&scheme).await;
        scheme.close("2026-03-10");
        scheme.run(&["verify"]);
    }
}
